import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { asidePath } from '../sqlite/set-aside.ts'
import { createManualRuntime } from '../testing/manual-runtime.ts'
import { keepFilesTidy } from './keep-files-tidy.ts'

const day = 24 * 60 * 60_000

let dataDir: string
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 't69-files-'))
})
afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

describe('files that were set aside', () => {
  it('are counted at once, and removed when they are old, once the clock has settled', async () => {
    const runtime = createManualRuntime(1_000 * day)
    mkdirSync(join(dataDir, 'ab'))
    const path = join(dataDir, 'ab', `${'ab'.repeat(16)}.db`)
    writeFileSync(path, 'a sound file')
    writeFileSync(`${path}.deleted`, '')
    writeFileSync(asidePath(path, 'corrupt', 600 * day), 'old')
    writeFileSync(`${asidePath(path, 'corrupt', 600 * day)}-wal`, 'old')
    writeFileSync(`${asidePath(join(dataDir, 'platform.sqlite'), 'stale', 900 * day)}-wal`, 'newer')
    const removed: string[] = []
    const warned = Promise.withResolvers<void>()
    let isSettled = false
    const tidy = keepFilesTidy({
      dataDir,
      keepMs: 365 * day,
      clock: { now: runtime.now, isSettled: () => isSettled },
      runtime,
      logger: {
        info: () => {},
        warn: (details) => {
          if ('path' in details) removed.push(String(details.path))
          if (removed.length === 2) warned.resolve()
        },
        error: (details) => warned.reject(new Error('it failed', { cause: details })),
      },
    })
    try {
      while (runtime.timers === 0) await new Promise(setImmediate)
      expect(tidy.found.spaces).toEqual([12])
      expect(tidy.found.setAside.map(({ bytes, setAsideAt }) => [bytes, setAsideAt / day])).toEqual([
        [3, 600],
        [3, 600],
        [5, 900],
      ])
      isSettled = true
      runtime.advance(day)
      await warned.promise
    } finally {
      await tidy.stop()
    }
    expect(tidy.found.setAside).toHaveLength(1)
    expect(readdirSync(join(dataDir, 'ab')).toSorted()).toEqual([
      `${'ab'.repeat(16)}.db`,
      `${'ab'.repeat(16)}.db.deleted`,
    ])
    expect(runtime.timers).toBe(0)
  })
})
