import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const source = new URL('./log-stream.ts', import.meta.url).href
const path = (name: string): string => join(folder, name)

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 't69-log-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Runs a script that logs to standard output, which is the file. Resolves with the exit code. */
async function run(script: string, output: string): Promise<number | null> {
  const out = openSync(output, 'w')
  const program = `
    import { closeSync, openSync, readFileSync } from 'node:fs'
    import { setTimeout } from 'node:timers/promises'
    import { standardLog } from '${source}'
    const log = (from, to) => { for (let nth = from; nth < to; nth++) standardLog.write(nth + '\\n') }
    ${script}`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', out, 'inherit'],
    timeout: 30_000,
  })
  const [code] = (await once(child, 'exit')) as [number | null]
  closeSync(out)
  return code
}

/** Gives the log a file that takes what is written, and waits until what waited is in it. Otherwise it would be at the exit. */
function makeRoom(): string {
  const file = JSON.stringify(path('log'))
  // The lowest number that is free is that of the file that was closed.
  return `closeSync(1); openSync(${file}, 'a'); while (readFileSync(${file}).length === 0) await setTimeout(10)`
}

const numbers = (count: number): string => Array.from({ length: count }, (_, nth) => `${nth}\n`).join('')

describe('the log', () => {
  it('has every line when the process exits in order', async () => {
    expect(await run('log(0, 1_000); process.exit(3)', path('log'))).toBe(3)
    expect(readFileSync(path('log'), 'utf8')).toBe(numbers(1_000))
  })

  // `/dev/full` is a disk that is always full.
  it.skipIf(process.platform !== 'linux')(
    'neither ends the process nor keeps it on a full disk',
    async () => {
      expect(
        await run('log(0, 1_000); await setTimeout(300); log(0, 10); process.exit(3)', '/dev/full'),
      ).toBe(3)
      expect(await run('log(0, 1_000)', '/dev/full')).toBe(0)
    },
  )

  it.skipIf(process.platform !== 'linux')('goes on once there is room, with what waited', async () => {
    expect(await run(`log(0, 5); log(5, 10); ${makeRoom()}; log(10, 15)`, '/dev/full')).toBe(0)
    expect(readFileSync(path('log'), 'utf8')).toBe(numbers(15))
  })

  it.skipIf(process.platform !== 'linux')('keeps a megabyte of what cannot be written', async () => {
    const script = `
      log(0, 1)
      for (let count = 0; count < 3_000; count++) standardLog.write('x'.repeat(1_023) + '\\n')
      ${makeRoom()}; log(1, 2)`
    expect(await run(script, '/dev/full')).toBe(0)
    const log = readFileSync(path('log'), 'utf8')
    expect(log.length).toBe(1023 * 1024 + 4)
    expect(log.slice(-3)).toBe('\n1\n')
  })
})
