import {
  type AccessId,
  decodeBatch,
  encodeBatch,
  treeSchema,
  type SpaceId,
  type SpaceIdentity,
  type TreeOperation,
  type UserId,
} from '@t69/protocol'
import { Replica, toVertexOperation } from '@t69/replica'
import { describe, expect, it } from 'vitest'

import type { KeptAccess } from '../logs/op-log.ts'
import { anybody, moveOp, newEpoch, opsFrom, otherSpaceId, setOp, spaceId, treeId } from '../testing/ops.ts'
import { unlimitedAllotment } from './allotment.ts'
import type { OpenedLog, PageRequest, Storage } from './storage.ts'

/** The identity of every space, as the accounts know it. */
export const contractIdentity = '1'.repeat(32) as SpaceIdentity

/** A storage with the means to do to it what happens to storages. */
export interface StorageUnderTest extends AsyncDisposable {
  readonly storage: Storage
  /** The same files, or logs in memory, under a storage of another process. */
  restart(): Promise<Storage>
}

const batchOf = (ops: readonly TreeOperation[], of = spaceId) => encodeBatch({ spaceId: of, ops })
const now = 1_000_000

/** The contract of the port, for every implementation. */
export function describeStorage(name: string, create: () => Promise<StorageUnderTest>): void {
  const open = async (storage: Storage, of = spaceId, left?: OpenedLog['state']): Promise<OpenedLog> => {
    const opened = await storage.open({ spaceId: of, left })
    if (opened === 'deleted') throw new Error('the log was deleted')
    return opened
  }
  const commit = (storage: Storage, ...pushes: (readonly TreeOperation[])[]) =>
    storage.commit({
      spaceId,
      pushes: pushes.map((ops) => ({ userId: anybody, batch: batchOf(ops) })),
      allotment: unlimitedAllotment,
      now,
    })

  describe(`the storage ${name}`, () => {
    it('opens a new log, and the same one again', async () => {
      await using test = await create()
      const { storage } = test
      const { state, access, standing } = await open(storage)
      expect([state.head, access, standing]).toEqual([0, undefined, 'same'])
      await storage.release({ spaceId })
      expect((await open(storage)).state).toEqual(state)
    })

    it('[PU1] [PU6] commits a group in one go, and answers each push in the order of the group', async () => {
      await using test = await create()
      const { storage } = test
      await open(storage)
      const { state, results, grownBytes } = await commit(
        storage,
        [setOp(1, 'a'), setOp(2, 'b')],
        [setOp(1, 'a')],
        [setOp(2, 'other'), setOp(3, 'c')],
      )
      expect(state.head).toBe(3)
      expect(grownBytes).toBeGreaterThan(0)
      expect(results).toMatchObject([
        { ok: true, after: 0, cursor: 2, at: now, duplicates: 0, rejected: [] },
        { ok: true, after: 3, cursor: 3, duplicates: 1 },
        { ok: true, after: 2, cursor: 3, rejected: [{ index: 0, code: 'op_conflict' }] },
      ])
      expect(results[0]).not.toHaveProperty('batch')
      const [, , part] = results
      expect(decodeBatch((part?.ok === true && part.batch) || new Uint8Array()).ops).toEqual([setOp(3, 'c')])
      const page = await storage.page({ spaceId, after: 0, maxBytes: 100_000 })
      expect(decodeBatch(page.batch).ops).toEqual([setOp(1, 'a'), setOp(2, 'b'), setOp(3, 'c')])
      expect(page).toMatchObject({
        state,
        after: 0,
        cursor: 3,
        commits: [{ after: 0, userId: anybody, at: now }],
      })
    })

    it('[PU8] refuses a batch that is malformed or of another space, and takes the others of its group', async () => {
      await using test = await create()
      const { storage } = test
      await open(storage)
      const push = (batch: Uint8Array, userId: UserId = anybody) => ({ userId, batch })
      const foreign = batchOf(opsFrom(1, 1, { space: otherSpaceId }), otherSpaceId)
      const pushes = [push(new Uint8Array([1, 2, 3])), push(foreign), push(batchOf([setOp(1, 'a')]))]
      const { results } = await storage.commit({ spaceId, pushes, allotment: unlimitedAllotment, now })
      expect(results).toMatchObject([
        { ok: false, error: { code: 'invalid_batch' } },
        { ok: false, error: { code: 'invalid_batch' } },
        { ok: true, cursor: 1 },
      ])
    })

    it('[QU1] [QU2] counts the whole group against what the space may hold', async () => {
      await using test = await create()
      const { storage } = test
      await open(storage)
      const endless = { ops: Infinity, bytes: Infinity }
      const any = { ops: 3, bytes: Infinity }
      const reasons = { bytes: 'too many bytes', ops: 'too many edits' }
      const allotment = { any, deletes: endless, returns: endless, reasons }
      const pushes = [opsFrom(1, 2), opsFrom(3, 2)].map((ops) => ({ userId: anybody, batch: batchOf(ops) }))
      const { results } = await storage.commit({ spaceId, pushes, allotment, now })
      expect(results).toMatchObject([
        { ok: true, cursor: 2 },
        { ok: true, cursor: 3, rejected: [{ index: 1, code: 'quota_exceeded', message: 'too many edits' }] },
      ])
    })

    it('answers the calls about a space in the order in which they are made', async () => {
      await using test = await create()
      const { storage } = test
      await open(storage)
      const answered: string[] = []
      const note = (what: string) => (): void => void answered.push(what)
      await Promise.all([
        commit(storage, opsFrom(1, 100)).then(note('first')),
        storage
          .page({ spaceId, after: 0, maxBytes: 9_999 })
          .then(({ state }) => note(`page at ${state.head}`)()),
        commit(storage, opsFrom(101, 1)).then(note('second')),
        storage
          .join({ spaceId, position: {}, mayRenew: true })
          .then(({ state }) => note(`join at ${state.head}`)()),
      ])
      expect(answered).toEqual(['first', 'page at 100', 'second', 'join at 101'])
    })

    it('[JO3] [JO4] continues from a position that the log holds, and renews a log that has lost history', async () => {
      await using test = await create()
      const { storage } = test
      const { state } = await open(storage)
      await commit(storage, opsFrom(1, 2))
      const { logId, epoch } = state
      const page = { maxBytes: 9_999 }
      const join = (position: object, mayRenew = true) => storage.join({ spaceId, position, mayRenew, page })
      expect(await join({ logId, epoch, cursor: 2 })).toMatchObject({ isHeld: true, renewal: 'none' })
      expect(await join({})).toMatchObject({ isHeld: false, renewal: 'none' })
      const due = await join({ logId, cursor: 3 }, false)
      expect(due).toMatchObject({ renewal: 'due', state: { logId } })
      // Nobody gets a page of a log that has to be renewed first.
      expect(due.page).toBe(undefined)
      const renewed = await join({ logId, epoch: newEpoch(), cursor: 1 })
      expect(renewed).toMatchObject({ isHeld: false, renewal: 'renewed', state: { head: 2 } })
      expect(renewed.state.logId).not.toBe(logId)
      expect(await join({ logId, cursor: 2 })).toMatchObject({ isHeld: false, renewal: 'none' })
    })

    it('[JO8] reads the page after where a device continues, if it is asked for one that it lacks', async () => {
      await using test = await create()
      const { storage } = test
      const { state } = await open(storage)
      await commit(storage, opsFrom(1, 3))
      const { logId, epoch } = state
      const join = async (position: object, page?: PageRequest) =>
        (await storage.join({ spaceId, position, mayRenew: true, page })).page
      const bounds = { maxBytes: 9_999 }
      expect(await join({})).toBe(undefined)
      expect(await join({ logId, epoch, cursor: 3 }, bounds)).toBe(undefined)
      const rest = await join({ logId, epoch, cursor: 2 }, bounds)
      expect(rest).toMatchObject({ after: 2, cursor: 3, state: { logId, head: 3 } })
      expect(rest).toEqual(await storage.page({ ...bounds, spaceId, after: 2 }))
      // The log never had what this device has: it is read from its start, under the new id.
      const renewed = await join({ logId, epoch: newEpoch(), cursor: 3 }, bounds)
      expect(renewed).toMatchObject({ after: 0, cursor: 3 })
      expect(renewed?.state.logId).not.toBe(logId)
    })

    it('[JO8] answers with the opening the device that the log is opened for, unless it has to be renewed', async () => {
      await using test = await create()
      const { storage } = test
      await open(storage)
      const { state } = await commit(storage, opsFrom(1, 3))
      const { logId, epoch } = state
      const page = { maxBytes: 9_999 }
      for (const position of [{}, { logId, epoch, cursor: 2 }, { logId, epoch, cursor: 3 }]) {
        await storage.release({ spaceId })
        const opened = await storage.open({ spaceId, left: state, join: { position, page } })
        const joined = await storage.join({ spaceId, position, page, mayRenew: false })
        expect(opened).toMatchObject({ state, standing: 'same', joined })
      }
      await storage.release({ spaceId })
      const lost = { position: { logId, cursor: 4 }, page }
      expect(await storage.open({ spaceId, left: state, join: lost })).not.toHaveProperty('joined')
      expect(await storage.page({ spaceId, after: 0, ...page })).toMatchObject({ state, cursor: 3 })
    })

    it('[PL3] refuses a page after the head, and counts and reads trees', async () => {
      await using test = await create()
      const { storage } = test
      const { state } = await open(storage)
      const ops = [moveOp(1, null, { target: treeId }), moveOp(2, treeId), setOp(3, 'x')]
      await commit(storage, ops)
      await expect(storage.page({ spaceId, after: 4, maxBytes: 9_999 })).rejects.toMatchObject({
        body: { code: 'invalid_request', message: 'the log ends at 3', at: 'after' },
      })
      expect(await storage.countTree({ spaceId, treeId, atMost: 2 })).toBe(2)
      using replica = new Replica({ treeId, ops: ops.map(toVertexOperation) })
      const question = {
        kind: 'digest',
        spaceId,
        treeId,
        logId: state.logId,
        cursor: 3,
        maxBytes: 9_999,
      } as const
      expect((await storage.readTree(question)).text).toBe(replica.digest())
    })

    it('reads a tree as it was at each position of the log, with who committed what is there', async () => {
      await using test = await create()
      const { storage } = test
      await open(storage)
      const ops = [moveOp(1, null, { target: treeId }), moveOp(2, treeId), setOp(3, 'x'), setOp(4, 'y')]
      for (const op of ops) await commit(storage, [op])
      const readAt = async (cursor?: number) =>
        await storage.readTree({ kind: 'snapshot', spaceId, treeId, cursor, maxBytes: 9_999 })
      for (const cursor of [1, 2, 3, 4]) {
        const shown = treeSchema.parse(JSON.parse((await readAt(cursor)).text ?? ''))
        using replica = new Replica({ treeId, ops: ops.slice(0, cursor).map(toVertexOperation) })
        expect(shown).toMatchObject({
          cursor,
          digest: replica.digest(),
          commit: { userId: anybody, at: now },
        })
      }
      expect(await readAt()).toEqual(await readAt(4))
      await expect(readAt(0)).rejects.toMatchObject({ code: 'not_found' })
      await expect(readAt(5)).rejects.toMatchObject({
        body: { code: 'invalid_request', message: 'the log ends at 4', at: 'at' },
      })
    })

    it('asks for a log that is not open to be opened', async () => {
      await using test = await create()
      const { storage } = test
      await expect(commit(storage, opsFrom(1, 1))).rejects.toMatchObject({ code: 'storage_failed' })
      await open(storage)
      await storage.release({ spaceId })
      await storage.release({ spaceId })
      await expect(storage.page({ spaceId, after: 0, maxBytes: 9_999 })).rejects.toThrow(
        'the storage of this space',
      )
    })

    it('[SI7] keeps an access list in a log, and says how the log stands to where it was left', async () => {
      await using test = await create()
      const { storage } = test
      const { state: left } = await open(storage)
      const access: KeptAccess = {
        identity: contractIdentity,
        accessId: 'a'.repeat(32) as AccessId,
        seal: 'the members',
      }
      await storage.keepAccess({ spaceId, access })
      await commit(storage, opsFrom(1, 1))
      await storage.close()
      const again = await test.restart()
      const reopened = await open(again, spaceId, left)
      expect(reopened).toMatchObject({ access, standing: 'ahead', state: { head: 1, logId: left.logId } })
      await again.release({ spaceId })
      const lost = await open(again, spaceId, { ...left, head: 5 })
      expect(lost.standing).toBe('replaced')
      expect(lost.state.logId).not.toBe(left.logId)
    })

    it('[SI7] writes to a log that was opened to be read, and only joined until then', async () => {
      await using test = await create()
      const { storage } = test
      const { state: empty } = await open(storage)
      const access: KeptAccess = {
        identity: contractIdentity,
        accessId: 'a'.repeat(32) as AccessId,
        seal: 'the members',
      }
      await storage.keepAccess({ spaceId, access })
      const { state } = await commit(storage, opsFrom(1, 3))
      await storage.release({ spaceId })

      expect(await open(storage, spaceId, state)).toMatchObject({ state, standing: 'same' })
      const position = { logId: empty.logId, epoch: state.epoch, cursor: 1 }
      const joined = await storage.join({ spaceId, position, mayRenew: true, page: { maxBytes: 9_999 } })
      expect(joined).toMatchObject({ state, isHeld: true, page: { after: 1, cursor: 3 } })
      expect(await commit(storage, opsFrom(3, 2))).toMatchObject({
        state: { ...state, head: 4 },
        results: [{ ok: true, after: 3, cursor: 4, duplicates: 1 }],
      })
      await storage.release({ spaceId })
      expect(await open(storage, spaceId, state)).toMatchObject({
        access,
        standing: 'ahead',
        state: { head: 4 },
      })
      const kept = { ...access, accessId: 'b'.repeat(32) as AccessId }
      await storage.keepAccess({ spaceId, access: kept })
      await storage.close()
      expect(await open(await test.restart())).toMatchObject({ access: kept, state: { head: 4 } })
    })

    it('[JO4] gives a new id to a log that was opened to be read', async () => {
      await using test = await create()
      const { storage } = test
      await open(storage)
      const { state } = await commit(storage, opsFrom(1, 3))
      await storage.release({ spaceId })
      await open(storage, spaceId, state)
      const lost = { spaceId, position: { ...state, cursor: 9 }, page: { maxBytes: 9_999 } }
      expect(await storage.join({ ...lost, mayRenew: false })).toMatchObject({ renewal: 'due', state })
      const joined = await storage.join({ ...lost, mayRenew: true })
      expect(joined).toMatchObject({ renewal: 'renewed', isHeld: false, page: { after: 0, cursor: 3 } })
      expect(joined.state.logId).not.toBe(state.logId)
      await storage.release({ spaceId })
      expect((await open(storage)).state).toEqual(joined.state)
    })

    it('says of which spaces there is a log, and creates none', async () => {
      await using test = await create()
      const { storage } = test
      const both = [spaceId, otherSpaceId]
      expect(await storage.existing(both)).toEqual([])
      expect(await storage.bytesOf(both)).toBe(0)
      await open(storage)
      await commit(storage, [setOp(1, 'a')])
      expect(await storage.existing(both)).toEqual([spaceId])
      await storage.release({ spaceId })
      expect(await storage.existing(both)).toEqual([spaceId])
    })

    it('removes a log for good, leaves the others, and says how many bytes they take', async () => {
      await using test = await create()
      const { storage } = test
      await open(storage)
      await open(storage, otherSpaceId)
      await commit(storage, [setOp(1, 'x'.repeat(100_000))])
      expect(await storage.bytesOf([spaceId])).toBeGreaterThan(90_000)
      expect(await storage.bytesOf([])).toBe(0)
      await storage.remove({ spaceId })
      await storage.remove({ spaceId })
      expect(await storage.bytesOf([spaceId, '9'.repeat(32) as SpaceId])).toBe(0)
      expect((await open(storage, otherSpaceId)).standing).toBe('same')
    })

    it('refuses every call once it is closed', async () => {
      await using test = await create()
      const { storage } = test
      await open(storage)
      const committed = commit(storage, opsFrom(1, 1))
      await storage.close()
      expect(await committed).toMatchObject({ state: { head: 1 } })
      await expect(open(storage)).rejects.toMatchObject({ code: 'unavailable' })
    })
  })
}
