import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { shareOpenFiles } from './open-files.ts'

describe('open files', () => {
  it('are never promised twice, and leave half to connections', () => {
    const someLimit = fc.integer({ min: 100, max: 2_000_000 })
    const someSpaces = fc.integer({ min: 1, max: 100_000 })
    fc.assert(
      fc.property(someLimit, someSpaces, (limit, maxOpenSpaces) => {
        const { spaces, connections } = shareOpenFiles(limit, { maxOpenSpaces, threads: 3 })
        expect(spaces).toBeLessThanOrEqual(maxOpenSpaces)
        expect(3 * spaces + connections + 64 + 3 * 8).toBeLessThanOrEqual(limit)
        expect(connections).toBeGreaterThanOrEqual(3 * spaces)
      }),
    )
  })

  it('are as many as the spaces need where the system allows enough, or has no limit', () => {
    const asked = { maxOpenSpaces: 500, threads: 3 }
    expect(shareOpenFiles(20_000, asked)).toMatchObject({ spaces: 500, connections: 18_412 })
    expect(shareOpenFiles(Infinity, asked)).toMatchObject({ spaces: 500, connections: Infinity })
    expect(shareOpenFiles(10, asked)).toMatchObject({ spaces: 1, connections: 1 })
  })

  it('are as many as the system says', () => {
    const source = fileURLToPath(new URL('./open-files.ts', import.meta.url))
    const script = `console.log((await import(${JSON.stringify(source)})).openFilesLimit())`
    const print = 'ulimit -n 321; exec "$0" "$@"'
    const args = ['-c', print, process.execPath, '--input-type=module', '--eval', script]
    expect(execFileSync('sh', args, { encoding: 'utf8' })).toBe('321\n')
  })
})
