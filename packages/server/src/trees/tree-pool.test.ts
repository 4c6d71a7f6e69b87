import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { type LogId, type TreeId, treeSchema } from '@t69/protocol'
import { Replica, toVertexOperation } from '@t69/replica'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import type { OpLog } from '../logs/op-log.ts'
import { createSqliteOpLogs } from '../logs/sqlite-op-logs.ts'
import { moveOp, newEpoch, otherSpaceId, setOp, spaceId, treeId } from '../testing/ops.ts'
import { createTreePool, type TreePool } from './tree-pool.ts'

/** A real thread, and real files that the log has open at the same time. */
describe('the thread that reads trees', () => {
  const ops = [
    moveOp(1, null, { target: treeId }),
    moveOp(2, treeId),
    setOp(3, 'said'),
    setOp(4, 'said later'),
  ]
  let dataDir: string
  let log: OpLog
  let pool: TreePool
  let damaged: string[]

  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 't69-trees-'))
    log = createSqliteOpLogs({ dataDir, synchronous: 'normal' }).open(spaceId, newEpoch())
    log.append(ops)
    damaged = []
    pool = createTreePool({ dataDir, damaged: (id) => void damaged.push(id) })
  })
  afterEach(async () => {
    await pool.close()
    log.close()
    rmSync(dataDir, { recursive: true, force: true })
  })

  const maxBytes = 1_000_000
  const digestAt = async (cursor: number, { logId }: { logId: LogId } = log) =>
    (await pool.read({ kind: 'digest', spaceId, treeId, logId, cursor, maxBytes })).text
  const snapshot = async (of = treeId, inSpace = spaceId) =>
    await pool.read({ kind: 'snapshot', spaceId: inSpace, treeId: of, maxBytes })

  it('reads what the log has just committed, and what it had at a position', async () => {
    const { text } = await snapshot()
    const { vertices, cursor, digest } = treeSchema.parse(JSON.parse(text ?? ''))
    expect(vertices.map(({ properties }) => properties['name'])).toEqual([undefined, 'said later'])
    expect(cursor).toBe(4)
    expect(await digestAt(4)).toBe(digest)
    using early = new Replica({ treeId, ops: ops.slice(0, 3).map(toVertexOperation) })
    expect(await digestAt(3)).toBe(early.digest())
    log.append([setOp(5, 'and once more')])
    expect(await digestAt(5)).not.toBe(digest)
  })

  it('passes refusals on with their codes', async () => {
    await expect(snapshot('nothing' as TreeId)).rejects.toMatchObject({ code: 'not_found' })
    await expect(digestAt(1, { logId: 'ab'.repeat(16) as LogId })).rejects.toMatchObject({
      code: 'not_joined',
    })
    await expect(snapshot(treeId, otherSpaceId)).rejects.toMatchObject({
      code: 'storage_failed',
      cause: { message: expect.stringContaining(otherSpaceId) },
    })
    expect(damaged).toEqual([])
  })

  it('reports a damaged file', async () => {
    log.append(Array.from({ length: 2_000 }, (_, index) => setOp(10 + index, 'x'.repeat(100))))
    log.close()
    const path = join(dataDir, spaceId.slice(0, 2), `${spaceId}.db`)
    // In the middle of the table: the file opens, and reading all of it fails.
    const bytes = readFileSync(path)
    bytes.fill(0xff, 4_096 * 20, 4_096 * 24)
    writeFileSync(path, bytes)
    await expect(digestAt(2_004)).rejects.toMatchObject({ code: 'storage_failed' })
    expect(damaged).toEqual([spaceId])
  })

  it('stops at the bound of memory, and fails alone when it runs out', async () => {
    const large = 'tree-of-large-values' as TreeId
    const value = 'x'.repeat(400_000)
    log.append(Array.from({ length: 200 }, (_, index) => setOp(1 + index, value, { tree: large })))
    expect(await snapshot(large)).toEqual({ text: null, bytes: 3 * 400_002 })
    const small = createTreePool({ dataDir, damaged: expect.unreachable, threadMegabytes: 40 })
    const question = { spaceId, logId: log.logId, maxBytes: Infinity } as const
    const asked = small.read({ ...question, kind: 'digest', treeId: large, cursor: log.head })
    await expect(asked).rejects.toMatchObject({ code: 'too_large' })
    const { text } = await small.read({ ...question, kind: 'digest', treeId, cursor: 4 })
    expect(text).toBe(await digestAt(4))
    await small.close()
  })

  it('refuses every question, waiting ones too, once the pool is closed', async () => {
    const waiting = Promise.allSettled([digestAt(4), digestAt(3)])
    await pool.close()
    const unavailable = { status: 'rejected', reason: { code: 'unavailable' } }
    expect(await waiting).toMatchObject([unavailable, unavailable])
    await expect(digestAt(4)).rejects.toMatchObject({ code: 'unavailable' })
  })
})
