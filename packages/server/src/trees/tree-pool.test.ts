import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { type LogId, type TreeId, treeSchema, type UserId } from '@t69/protocol'
import { Replica, toVertexOperation } from '@t69/replica'
import { Piscina } from 'piscina'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import type { OpLog } from '../logs/op-log.ts'
import { createSqliteOpLogs } from '../logs/sqlite-op-logs.ts'
import {
  appendTo,
  moveOp,
  newEpoch,
  newUserId,
  otherSpaceId,
  setOp,
  spaceId,
  treeId,
} from '../testing/ops.ts'
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
  const spent = new Map<UserId, number>()

  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 't69-trees-'))
    log = createSqliteOpLogs({ dataDir, synchronous: 'normal' }).open(spaceId, newEpoch())
    appendTo(log, ops)
    damaged = []
    spent.clear()
    pool = createTreePool({
      dataDir,
      damaged: (id) => void damaged.push(id),
      spent: (userId, ms) => void spent.set(userId, ms),
    })
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
    appendTo(log, [setOp(5, 'and once more')])
    expect(await digestAt(5)).not.toBe(digest)
  })

  it('goes on when the system did not let the thread start', async () => {
    const run = vi.spyOn(Piscina.prototype, 'run').mockImplementationOnce(() => {
      throw new Error('Worker initialization failure: EAGAIN')
    })
    await expect(digestAt(4)).rejects.toThrow('EAGAIN')
    run.mockRestore()
    expect(await digestAt(4)).toMatch(/^[0-9a-f]{32}$/)
  })

  it('reads next for whoever had least of the thread, however many trees others ask for', async () => {
    const [greedy, modest] = [newUserId(), newUserId()]
    const done: UserId[] = []
    const read = async (payer: UserId): Promise<void> => {
      await pool.read({ kind: 'snapshot', spaceId, treeId, maxBytes, payer })
      done.push(payer)
    }
    await Promise.all([...Array.from({ length: 9 }, () => read(greedy)), read(modest)])
    expect(done.indexOf(modest)).toBeLessThan(2)
    expect([...spent.keys()].toSorted()).toEqual([greedy, modest].toSorted())
  })

  it('refuses more questions of one user than may wait, with a time to wait, and answers others', async () => {
    const [greedy, modest] = [newUserId(), newUserId()]
    const read = (payer: UserId) => pool.read({ kind: 'snapshot', spaceId, treeId, maxBytes, payer })
    const many = Promise.allSettled(Array.from({ length: 103 }, () => read(greedy)))
    expect((await read(modest)).text).toContain('said later')
    const refused = (await many).flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
    expect(refused).toHaveLength(3)
    expect(refused[0]).toMatchObject({ body: { code: 'unavailable', retryAfterMs: 5_000 } })
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
    appendTo(
      log,
      Array.from({ length: 2_000 }, (_, index) => setOp(10 + index, 'x'.repeat(100))),
    )
    log.close()
    const path = join(dataDir, spaceId.slice(0, 2), `${spaceId}.db`)
    // In the middle of the table: the file opens, and reading all of it fails.
    const bytes = readFileSync(path)
    bytes.fill(0xff, 4_096 * 20, 4_096 * 24)
    writeFileSync(path, bytes)
    await expect(digestAt(2_004)).rejects.toMatchObject({ code: 'storage_failed' })
    expect(damaged).toEqual([spaceId])
  })

  it('stops at the bound of the question, and before its memory runs out', async () => {
    const large = 'tree-of-large-values' as TreeId
    const value = 'x'.repeat(400_000)
    appendTo(
      log,
      Array.from({ length: 200 }, (_, index) => setOp(1 + index, value, { tree: large })),
    )
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
