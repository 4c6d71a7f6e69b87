import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, it } from 'vitest'

import { noMetrics } from '../ports/metrics.ts'
import type { Finding } from '../storage/examine-thread.ts'
import { settled } from '../testing/gateway-harness.ts'
import { createManualRuntime } from '../testing/manual-runtime.ts'
import { readFilesThrough } from './read-files-through.ts'
import { openReadMark } from './read-mark.ts'

const hour = 60 * 60_000

function setUp({ last = '', takesMs = 0, more = 0 } = {}) {
  const runtime = createManualRuntime()
  const files = new Set(['c', 'a', 'b', ...Array.from({ length: more }, (_, index) => `d${index}`)])
  const found = new Map<string, Finding | Error>()
  const read: string[] = []
  const damaged: string[] = []
  const counted: string[] = []
  const errors: unknown[] = []
  const noted: string[] = []
  const stop = readFilesThrough({
    examiner: {
      examine: async (path) => {
        read.push(path)
        const finding: Finding | Error = found.get(path) ?? { result: 'sound' }
        if (finding instanceof Error) throw finding
        return { ...finding, ms: takesMs }
      },
    },
    paths: () => [...files],
    everyMs: 3 * hour,
    mark: { last, note: async (path) => void noted.push(path) },
    damaged: async (path) => void damaged.push(path),
    runtime,
    logger: { info: () => {}, warn: () => {}, error: (details) => errors.push(details) },
    metrics: { ...noMetrics, fileRead: (result) => void counted.push(result) },
  })
  async function advance(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 1_000) {
      runtime.advance(1_000)
      await settled()
    }
  }
  return { runtime, files, found, read, damaged, counted, errors, noted, stop, advance }
}

it('reads every file in the time, one after another, and begins again', async () => {
  const { advance, read, files, noted, counted } = setUp()
  await advance(35 * 60_000)
  expect(read).toEqual(['a', 'b', 'c'])
  files.add('bb')
  files.delete('a')
  await advance(40 * 60_000)
  expect(read.slice(3)).toEqual(['b', 'bb', 'c', 'b'])
  expect(noted).toEqual(read)
  expect(counted).toHaveLength(read.length)
})

it('spreads the files over the time, and goes on after the one that was read last', async () => {
  const { advance, read } = setUp({ last: 'b', more: 897 })
  await advance(hour)
  expect(read[0]).toBe('c')
  // 900 files in three hours.
  expect(read.length).toBeGreaterThan(290)
  expect(read.length).toBeLessThanOrEqual(300)
})

it('takes a twentieth of the time where files are too large for the time', async () => {
  const { advance, read } = setUp({ takesMs: 10_000, more: 9_997 })
  await advance(hour)
  expect(read.length).toBeGreaterThan(15)
  expect(read.length).toBeLessThanOrEqual(20)
})

it('says what is damaged, what the disk does not give, and goes on', async () => {
  const { advance, found, damaged, errors, counted } = setUp()
  found.set('a', { result: 'damaged', reason: 'a page is missing' })
  found.set('b', { result: 'failed', reason: 'disk I/O error' })
  found.set('c', new Error('the thread has no memory'))
  await advance(35 * 60_000)
  expect(damaged).toEqual(['a'])
  expect(counted).toEqual(['damaged', 'failed', 'failed'])
  expect(errors).toEqual([
    { path: 'a', reason: 'a page is missing' },
    { path: 'b', reason: 'disk I/O error' },
    { path: 'c', reason: 'the thread has no memory' },
  ])
})

it('says nothing of a file that was deleted meanwhile, and stops', async () => {
  const { advance, found, errors, counted, read, stop, runtime } = setUp()
  found.set('a', { result: 'gone' })
  await advance(10 * 60_000)
  expect(read).toEqual(['a'])
  await stop()
  await advance(hour)
  expect(read).toEqual(['a'])
  expect([...errors, ...counted]).toEqual([])
  expect(runtime.timers).toBe(0)
})

it('remembers over a restart which file was read last', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 't69-mark-'))
  try {
    const first = await openReadMark(dataDir)
    expect(first.last < join(dataDir, '00', 'any.db')).toBe(true)
    await first.note(join(dataDir, 'ab', 'some.db'))
    expect((await openReadMark(dataDir)).last).toBe(join(dataDir, 'ab', 'some.db'))
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
})
