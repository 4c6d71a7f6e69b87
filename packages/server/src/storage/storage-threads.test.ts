import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { Worker } from 'node:worker_threads'

import { encodeBatch, SyncError, type SpaceId, type UserId } from '@t69/protocol'
import { describe, expect, it, vi } from 'vitest'

import { anybody, newEpoch, newUserId, opsFrom, setOp, spaceId } from '../testing/ops.ts'
import { createTreePool } from '../trees/tree-pool.ts'
import { unlimitedAllotment } from './allotment.ts'
import { createStorageThreads } from './storage-threads.ts'
import { contractIdentity, describeStorage } from './storage.contract.ts'

const workerUrl = new URL(`./storage-thread${extname(import.meta.url)}`, import.meta.url)

/** Real threads over real files. */
async function setUp(threads = 2) {
  const dataDir = mkdtempSync(join(tmpdir(), 't69-threads-'))
  const workers: Worker[] = []
  const warnings: string[] = []
  const spent = new Map<UserId, number>()
  const logs = new Set<SpaceId>()
  const trees = createTreePool({ dataDir, damaged: () => {} })
  const create = () =>
    createStorageThreads({
      dataDir,
      synchronous: 'normal',
      epoch: newEpoch(),
      threads,
      now: Date.now,
      known: {
        has: (id) => logs.has(id),
        add: (id) => void logs.add(id),
        identityOf: () => contractIdentity,
      },
      readTree: trees.read,
      warn: (_, message) => void warnings.push(message),
      spent: (userId, ms) => void spent.set(userId, (spent.get(userId) ?? 0) + ms),
      start: (workerData) => {
        const worker = new Worker(workerUrl, { workerData })
        workers.push(worker)
        return worker
      },
    })
  const opened = [create()]
  return {
    storage: opened[0]!,
    workers,
    warnings,
    spent,
    restart: async () => {
      opened.push(create())
      return opened.at(-1)!
    },
    [Symbol.asyncDispose]: async () => {
      for (const storage of opened) await storage.close()
      await trees.close()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

describeStorage('on threads', setUp)

const group = (first: number, count: number, of = spaceId) => ({
  spaceId: of,
  pushes: [
    { userId: anybody, batch: encodeBatch({ spaceId: of, ops: opsFrom(first, count, { space: of }) }) },
  ],
  allotment: unlimitedAllotment,
  now: 1_000_000,
})

describe('a storage thread', () => {
  it('that is killed answers what it was asked, loses nothing that it has answered, and is replaced', async () => {
    await using test = await setUp(1)
    const { storage, workers, warnings } = test
    const lost: boolean[] = []
    storage.onLost((isLost) => void lost.push(isLost(spaceId)))
    const opened = await storage.open({ spaceId, left: undefined })
    if (opened === 'deleted') throw new Error('deleted')
    const acked = (await storage.commit(group(1, 10))).state
    const underWay = [storage.commit(group(11, 5_000)), storage.page({ spaceId, after: 0, maxBytes: 9_999 })]
    const outcomes = Promise.allSettled(underWay)
    await workers[0]!.terminate()
    for (const outcome of await outcomes) {
      if (outcome.status === 'fulfilled') continue
      expect(outcome.reason).toMatchObject({ code: 'storage_failed', body: { retryAfterMs: 1_000 } })
    }
    expect([lost, warnings]).toEqual([[true], [expect.stringContaining('a storage thread ended')]])
    // The next call starts another thread, which has nothing open.
    await expect(storage.page({ spaceId, after: 0, maxBytes: 9_999 })).rejects.toMatchObject({
      code: 'storage_failed',
    })
    const again = await storage.open({ spaceId, left: acked })
    expect(again).toMatchObject({ state: { logId: acked.logId } })
    // All of a group, or nothing of it.
    const { head } = again === 'deleted' ? acked : again.state
    expect([10, 5_010]).toContain(head)
    expect(again).toMatchObject({ standing: head === 10 ? 'same' : 'ahead' })
    expect(workers).toHaveLength(2)
  })

  it('is woken once for what is asked in one turn', async () => {
    await using test = await setUp(1)
    const { storage, workers } = test
    const ids = Array.from({ length: 8 }, (_, index) => `${index}`.repeat(32) as SpaceId)
    await Promise.all(ids.map((id) => storage.open({ spaceId: id, left: undefined })))
    const posted = vi.spyOn(workers[0]!, 'postMessage')
    await Promise.all(ids.map((id) => storage.release({ spaceId: id })))
    expect(posted).toHaveBeenCalledOnce()
  })

  it('goes on after a question that cannot be sent', async () => {
    await using test = await setUp(1)
    const { storage } = test
    await storage.open({ spaceId, left: undefined })
    const wrong = (() => 0) as unknown as number
    await expect(storage.page({ spaceId, after: wrong, maxBytes: 9_999 })).rejects.toThrow(
      'could not be cloned',
    )
    expect(await storage.page({ spaceId, after: 0, maxBytes: 9_999 })).toMatchObject({ cursor: 0 })
  })

  it('does not keep the others from answering', async () => {
    await using test = await setUp(2)
    const { storage, workers } = test
    const ids = Array.from({ length: 8 }, (_, index) => `${index}`.repeat(32) as SpaceId)
    for (const id of ids) await storage.open({ spaceId: id, left: undefined })
    expect(workers).toHaveLength(2)
    await workers[0]!.terminate()
    const outcomes = await Promise.allSettled(ids.map((id) => storage.commit(group(1, 1, id))))
    const committed = outcomes.filter(({ status }) => status === 'fulfilled')
    expect(committed.length).toBeGreaterThan(0)
    expect(committed.length).toBeLessThan(ids.length)
  })

  it('that gets a rest keeps nobody from writing to spaces of other threads', async () => {
    await using test = await setUp(2)
    const { storage, workers } = test
    const ids = Array.from({ length: 8 }, (_, index) => `${index}`.repeat(32) as SpaceId)
    const openAll = () => Promise.allSettled(ids.map((id) => storage.open({ spaceId: id, left: undefined })))
    for (const nth of [0, 2]) {
      await openAll()
      await workers[nth]!.terminate()
    }
    const served = (await openAll()).filter(({ status }) => status === 'fulfilled').length
    expect(served).toBeGreaterThan(0)
    expect(served).toBeLessThan(ids.length)
    // What a quota is about.
    expect(await storage.bytesOf(ids)).toBeGreaterThan(0)
    expect(await storage.bytesOf([])).toBe(0)
  })

  it('serves whoever had least of it next, also between the steps of a large push', async () => {
    await using test = await setUp(1)
    const { storage, spent } = test
    const ids = Array.from({ length: 5 }, (_, index) => `${index}`.repeat(32) as SpaceId)
    for (const id of ids) await storage.open({ spaceId: id, left: undefined })
    const [own, ...others] = ids
    const [greedy, modest] = [newUserId(), newUserId()]
    const done: string[] = []
    const push = async (name: string, userId: UserId, count: number, of: SpaceId) => {
      const { pushes, ...given } = group(1, count, of)
      await storage.commit({ ...given, pushes: pushes.map((push) => ({ ...push, userId })) })
      done.push(name)
    }
    const all = others.map((id, nr) => push(`greedy ${nr}`, greedy, 10_000, id))
    await Promise.all([...all, push('modest', modest, 1, own!)])
    expect(done).toEqual(['modest', 'greedy 0', 'greedy 1', 'greedy 2', 'greedy 3'])
    expect(spent.get(greedy)).toBeGreaterThan(10 * (spent.get(modest) ?? Infinity))
  })

  it('has many calls of one user wait only so far that others are still taken', async () => {
    await using test = await setUp(1)
    const { storage } = test
    await storage.open({ spaceId, left: undefined })
    const [greedy, modest] = [newUserId(), newUserId()]
    const read = (payer: UserId) => storage.page({ spaceId, after: 0, maxBytes: 9_999, payer })
    const many = Promise.allSettled(Array.from({ length: 2_010 }, () => read(greedy)))
    expect(await read(modest)).toMatchObject({ cursor: 0 })
    const refused = (await many).flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
    expect(refused).toHaveLength(10)
    expect(refused[0]).toMatchObject({ body: { code: 'unavailable', retryAfterMs: 1_000 } })
  })

  it('that ends whenever it starts gets a rest, longer each time, in which nobody starts it', async () => {
    let now = 0
    let started = 0
    const storage = createStorageThreads({
      dataDir: tmpdir(),
      synchronous: 'normal',
      epoch: newEpoch(),
      threads: 1,
      now: Date.now,
      monotonic: () => now,
      known: { has: () => false, add: () => {}, identityOf: () => contractIdentity },
      readTree: () => Promise.reject(new Error('no trees here')),
      warn: () => {},
      start: () => {
        started++
        return new Worker('process.exit(1)', { eval: true })
      },
    })
    const ask = () => storage.open({ spaceId, left: undefined }).catch((error: unknown) => error)
    const waits = []
    for (const restMs of [1_000, 2_000, 4_000]) {
      await ask()
      const before = started
      waits.push(await ask(), await ask())
      expect(started).toBe(before)
      now += restMs
    }
    expect(started).toBe(3)
    for (const [index, error] of waits.entries()) {
      const retryAfterMs = 1_000 * 2 ** Math.floor(index / 2)
      expect(error).toMatchObject({ body: { code: 'storage_failed', retryAfterMs } })
    }
    await storage.close()
  })

  it('that the system does not let start is tried again after a rest', async () => {
    let now = 0
    const limit = { isReached: true }
    const dataDir = mkdtempSync(join(tmpdir(), 't69-threads-'))
    const warnings: string[] = []
    const storage = createStorageThreads({
      dataDir,
      synchronous: 'normal',
      epoch: newEpoch(),
      threads: 1,
      now: Date.now,
      monotonic: () => now,
      known: { has: () => false, add: () => {}, identityOf: () => contractIdentity },
      readTree: () => Promise.reject(new Error('no trees here')),
      warn: (_, message) => void warnings.push(message),
      start: (workerData) => {
        if (limit.isReached) throw new Error('Worker initialization failure: EAGAIN')
        return new Worker(workerUrl, { workerData })
      },
    })
    storage.start()
    now += 1_000
    const refused = { body: { code: 'storage_failed', retryAfterMs: expect.any(Number) } }
    await expect(storage.open({ spaceId, left: undefined })).rejects.toMatchObject(refused)
    limit.isReached = false
    await expect(storage.open({ spaceId, left: undefined })).rejects.toMatchObject(refused)
    expect(warnings).toEqual(Array(2).fill('a storage thread cannot be started'))
    now += 2_000
    expect(await storage.open({ spaceId, left: undefined })).toMatchObject({ state: { head: 0 } })
    await storage.close()
    rmSync(dataDir, { recursive: true, force: true })
  })

  it('that ends again soon after it was replaced gets a rest', async () => {
    await using test = await setUp(1)
    const { storage, workers } = test
    for (const nth of [0, 1]) {
      await storage.open({ spaceId, left: undefined })
      await workers[nth]!.terminate()
    }
    await expect(storage.open({ spaceId, left: undefined })).rejects.toMatchObject({
      body: { code: 'storage_failed', retryAfterMs: expect.any(Number) },
    })
    expect(workers).toHaveLength(2)
  })

  it('takes a copy of pushed bytes, which the caller goes on using', async () => {
    await using test = await setUp(1)
    const { storage } = test
    await storage.open({ spaceId, left: undefined })
    // A socket's bytes are a part of a larger buffer that holds other messages.
    const batch = encodeBatch({ spaceId, ops: [setOp(1, 'a')] })
    const received = Buffer.concat([Buffer.from('before'), batch, Buffer.from('after')])
    const pushed = received.subarray(6, 6 + batch.length)
    const answered = storage.commit({
      ...group(1, 1),
      pushes: [{ userId: anybody, batch: pushed }],
    })
    expect(Uint8Array.from(pushed)).toEqual(batch)
    await answered
    expect(received.toString('latin1')).toMatch(/^before.*after$/s)
  })

  it('refuses more calls than may wait, with a time to wait, and answers those before', async () => {
    await using test = await setUp(1)
    const { storage } = test
    await storage.open({ spaceId, left: undefined })
    const read = () => storage.page({ spaceId, after: 0, maxBytes: 9_999 })
    const outcomes = await Promise.allSettled(Array.from({ length: 10_005 }, read))
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
    expect(refused).toHaveLength(5)
    for (const error of refused) {
      expect(error).toBeInstanceOf(SyncError)
      expect(error).toMatchObject({ body: { code: 'unavailable', retryAfterMs: 1_000 } })
    }
    expect(await read()).toMatchObject({ cursor: 0 })
  })
})
