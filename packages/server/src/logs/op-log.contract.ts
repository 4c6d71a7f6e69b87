import { isDeepStrictEqual } from 'node:util'

import {
  type Epoch,
  type JsonValue,
  type LogId,
  type PeerId,
  randomHexId,
  type SpaceId,
  type TreeId,
  type TreeOperation,
  type UserId,
  type VertexId,
} from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import { appendTo, newUserId } from '../testing/ops.ts'
import type { OpLog, OpLogs } from './op-log.ts'

const spaceId = 'a1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4' as SpaceId
const treeId = 'tree' as TreeId
const roomy = { maxOps: 1_000, maxBytes: 1_000_000 }

const newEpoch = () => randomHexId() as Epoch

function move(
  clock: number,
  { tree = treeId, peer = '1', target = `v${clock}`, parent = 'tree' } = {},
): TreeOperation {
  return {
    clock,
    peerId: peer as PeerId,
    treeId: tree,
    spaceId,
    targetId: target as VertexId,
    parentId: parent as VertexId,
  }
}

function set(clock: number, value: JsonValue | undefined): TreeOperation {
  const base = { clock, peerId: '1' as PeerId, treeId, spaceId, targetId: 'v1' as VertexId, key: 'name' }
  return value === undefined ? base : { ...base, value }
}

/** The contract of the port, for every implementation. `create` makes an empty store. */
export function describeOpLogs(name: string, create: () => OpLogs): void {
  describe(`the op log in ${name}`, () => {
    const openNew = (): OpLog => create().open(spaceId, newEpoch())

    it('[LC5] starts empty, with a log id and the epoch of its process', () => {
      const epoch = newEpoch()
      const log = create().open(spaceId, epoch)
      expect(log.head).toBe(0)
      expect(log.logId).toMatch(/^[0-9a-f]{32}$/)
      expect(log.epoch).toBe(epoch)
      expect(log.read(0, roomy)).toEqual([])
      expect(log.maxClock(treeId)).toBe(0)
      log.close()
    })

    it('[LC1] numbers operations from 1, in the order in which they are appended', () => {
      const log = openNew()
      expect(appendTo(log, [move(3), move(1)])).toEqual({ after: 0, cursor: 2 })
      expect(appendTo(log, [])).toEqual({ after: 2, cursor: 2 })
      expect(appendTo(log, [move(2)])).toEqual({ after: 2, cursor: 3 })
      expect(log.head).toBe(3)
      expect(log.read(0, roomy).map((op) => op.clock)).toEqual([3, 1, 2])
      expect(log.read(1, roomy).map((op) => op.clock)).toEqual([1, 2])
      expect(log.read(3, roomy)).toEqual([])
      log.close()
    })

    it('returns every kind of operation as it was appended', () => {
      const root: TreeOperation = {
        clock: 1,
        peerId: '1' as PeerId,
        treeId,
        spaceId,
        targetId: treeId as string as VertexId,
        parentId: null,
      }
      const ops: TreeOperation[] = [
        root,
        move(2),
        set(3, 'text'),
        set(4, null),
        set(5, undefined),
        set(6, { deep: [1, 'a', { b: [] }], ' ': false }),
        set(7, ''),
        set(8, Number.MAX_SAFE_INTEGER),
        set(9, 0.1),
        { ...move(Number.MAX_SAFE_INTEGER), peerId: 'Z_-z' as PeerId },
      ]
      const log = openNew()
      appendTo(log, ops)
      expect(log.read(0, roomy)).toStrictEqual(ops)
      for (const op of ops) {
        expect(log.compare(op)).toBe('same')
        // The same id with the content of any other kind of operation on the target is another content.
        for (const { clock: _, peerId: __, ...content } of ops) {
          const other = { ...content, clock: op.clock, peerId: op.peerId }
          const isSame = isDeepStrictEqual(other, op)
          expect(log.compare(other), JSON.stringify(other)).toBe(isSame ? 'same' : 'other')
        }
      }
      log.close()
    })

    it('knows an operation by clock and peer within its tree only', () => {
      const log = openNew()
      appendTo(log, [move(1), move(1, { tree: 'other' as TreeId })])
      expect(log.compare(move(1, { tree: 'other' as TreeId }))).toBe('same')
      expect(log.compare(move(1, { peer: '2' }))).toBe('absent')
      expect(log.compare(move(2))).toBe('absent')
      expect(log.compare(move(1, { tree: 'third' as TreeId }))).toBe('absent')
      log.close()
    })

    it('says how many bytes it takes, open or closed', () => {
      const logs = create()
      expect(logs.bytesOf(spaceId)).toBe(0)
      const log = logs.open(spaceId, newEpoch())
      const before = log.bytes
      // Nothing that could be compressed.
      appendTo(log, [set(1, Array.from({ length: 3_125 }, randomHexId).join(''))])
      expect(log.bytes - before).toBeGreaterThan(45_000)
      expect(log.bytes - before).toBeLessThan(200_000)
      expect(logs.bytesOf(spaceId)).toBeGreaterThan(45_000)
      log.close()
      expect(logs.bytesOf(spaceId)).toBeGreaterThan(45_000)
      logs.delete(spaceId)
      expect(logs.bytesOf(spaceId)).toBe(0)
    })

    it('takes no more bytes than it says that it may take', () => {
      const log = create().open(spaceId, newEpoch())
      expect(log.bytesAtMost).toBeGreaterThanOrEqual(log.bytes)
      for (let nth = 0; nth < 10; nth++) {
        appendTo(
          log,
          Array.from({ length: 30 }, (_, at) => set(1 + nth * 30 + at, `text ${at}`)),
        )
        expect(log.bytesAtMost).toBeGreaterThanOrEqual(log.bytes)
      }
      while (log.isUnsettled) log.settle()
      log.check()
      expect(log.bytesAtMost).toBeGreaterThanOrEqual(log.bytes)
      log.close()
    })

    it('knows the highest clock of each tree, and how many operations it has', () => {
      const log = openNew()
      appendTo(log, [move(7), move(5), move(9, { tree: 'b' as TreeId }), move(2, { tree: 'B' as TreeId })])
      expect(log.maxClock(treeId)).toBe(7)
      expect(log.maxClock('b' as TreeId)).toBe(9)
      expect([1, 2, 3].map((atMost) => log.countTree(treeId, atMost))).toEqual([1, 2, 2])
      expect(log.countTree('none' as TreeId, 9)).toBe(0)
      log.close()
    })

    it('knows which vertices were deleted, even if they came back', () => {
      const log = openNew()
      appendTo(log, [move(1), move(2), move(3, { target: 'v1', parent: '0' }), set(4, 'v2')])
      appendTo(log, [move(5, { target: 'v1' }), move(6, { tree: 'b' as TreeId, parent: '0' })])
      const wasDeleted = (targetId: string, tree: TreeId = treeId) =>
        log.wasDeleted({ treeId: tree, targetId: targetId as VertexId })
      expect(['v1', 'v2', 'v6', 'none'].map((id) => wasDeleted(id))).toEqual([true, false, false, false])
      expect(wasDeleted('v6', 'b' as TreeId)).toBe(true)
      log.close()
    })

    it('reads a tree in the order of clocks, then of peer ids in code units', () => {
      const log = openNew()
      appendTo(log, [
        move(2, { peer: 'a' }),
        move(10, { peer: '1' }),
        move(2, { peer: 'B' }),
        move(1, { tree: 'other' as TreeId }),
        move(2, { peer: '10' }),
      ])
      expect(log.readTree(treeId, { through: 1 }).ops).toHaveLength(1)
      expect(log.readTree(treeId).ops.map((op) => `${op.clock}@${op.peerId}`)).toEqual([
        '2@10',
        '2@B',
        '2@a',
        '10@1',
      ])
      log.close()
    })

    it('stops reading a tree once its values exceed the bound, and says so', () => {
      const log = openNew()
      appendTo(
        log,
        [1, 2, 3].map((clock) => set(clock, 'x'.repeat(98))),
      )
      const read = (maxBytes: number, through?: number) => {
        const { ops, bytes } = log.readTree(treeId, { maxBytes, ...(through !== undefined && { through }) })
        return [ops.length, bytes]
      }
      expect(read(300)).toEqual([3, 300])
      expect(read(299)).toEqual([2, 300])
      expect(read(200, 2)).toEqual([2, 200])
      log.close()
    })

    it('[PL2] bounds a page by operations and by bytes, and returns at least one operation', () => {
      const log = openNew()
      appendTo(log, [set(1, 'x'.repeat(500)), ...Array.from({ length: 20 }, (_, index) => move(index + 2))])
      expect(log.read(0, { maxOps: 1_000, maxBytes: 100 })).toHaveLength(1)
      expect(log.read(1, { maxOps: 5, maxBytes: 1_000 })).toHaveLength(5)
      const page = log.read(1, { maxOps: 1_000, maxBytes: 100 })
      expect(page.length).toBeGreaterThan(1)
      expect(page.length).toBeLessThan(20)
      log.close()
    })

    it('refuses to append an id that it has, and does not change', () => {
      const log = openNew()
      appendTo(log, [move(1)])
      expect(() => appendTo(log, [move(2), move(1)])).toThrow(/storage|twice/)
      expect(() => appendTo(log, [move(3), move(3)])).toThrow(/storage|twice/)
      expect(log.head).toBe(1)
      expect(log.compare(move(2))).toBe('absent')
      expect(appendTo(log, [move(4)])).toEqual({ after: 1, cursor: 2 })
      log.close()
    })

    it('[LC5] keeps operations, log id and newest epoch when it is closed and opened', () => {
      const logs = create()
      const first = newEpoch()
      const log = logs.open(spaceId, first)
      appendTo(log, [move(1), move(2)])
      log.close()
      log.close()
      const again = logs.open(spaceId, newEpoch())
      expect(again.logId).toBe(log.logId)
      expect(again.head).toBe(2)
      expect(again.epoch).toBe(first)
      expect(again.read(0, roomy)).toHaveLength(2)
      again.close()
    })

    it('[CO1] says who committed what, from where another user or another minute begins', () => {
      const [anna, ben] = [newUserId(), newUserId()]
      const log = openNew()
      const minute = 60_000
      const by = (userId: UserId, ...clocks: number[]) => ({
        userId,
        ops: clocks.map((clock) => move(clock)),
      })
      expect(log.append([by(anna, 1, 2), by(ben), by(anna, 3), by(ben, 4)], 5 * minute)).toEqual({
        after: 0,
        cursor: 4,
        at: [5 * minute, 5 * minute, 5 * minute, 5 * minute],
      })
      // The minute goes on: what is kept is when it began.
      expect(log.append([by(ben, 5)], 5 * minute + 59_999).at).toEqual([5 * minute])
      expect(log.append([by(ben, 6)], 6 * minute + 1).at).toEqual([6 * minute + 1])
      // A clock that is set back begins a minute as well.
      expect(log.append([by(ben, 7)], 2 * minute).at).toEqual([2 * minute])
      const all = [
        { after: 0, userId: anna, at: 5 * minute },
        { after: 3, userId: ben, at: 5 * minute },
        { after: 5, userId: ben, at: 6 * minute + 1 },
        { after: 6, userId: ben, at: 2 * minute },
      ]
      expect(log.commits({ after: 0, cursor: 7 }, 9)).toEqual(all)
      expect(log.commits({ after: 0, cursor: 7 }, 2)).toEqual(all.slice(0, 2))
      expect(log.commits({ after: 1, cursor: 3 }, 9)).toEqual([{ after: 1, userId: anna, at: 5 * minute }])
      expect(log.commits({ after: 3, cursor: 6 }, 9)).toEqual(all.slice(1, 3))
      expect(log.commits({ after: 4, cursor: 4 }, 9)).toEqual([])
      log.close()
    })

    it('[CO5] keeps who committed what when it is closed and opened, and nothing of a commit that fails', () => {
      const logs = create()
      const [anna, ben] = [newUserId(), newUserId()]
      const log = logs.open(spaceId, newEpoch())
      log.append([{ userId: anna, ops: [move(1)] }], 1_000)
      const failing = [
        { userId: ben, ops: [move(2)] },
        { userId: anna, ops: [move(1)] },
      ]
      expect(() => log.append(failing, 2_000)).toThrow(/storage|twice/)
      log.append([{ userId: anna, ops: [move(3)] }], 3_000)
      log.close()
      const again = logs.open(spaceId, newEpoch())
      again.append([{ userId: anna, ops: [move(4)] }], 4_000)
      expect(again.commits({ after: 0, cursor: 3 }, 9)).toEqual([{ after: 0, userId: anna, at: 1_000 }])
      again.close()
    })

    it('[LC4] remembers the position after which each epoch that committed began', () => {
      const logs = create()
      const [first, idle, second] = [newEpoch(), newEpoch(), newEpoch()]
      const one = logs.open(spaceId, first)
      appendTo(one, [move(1), move(2)])
      one.close()
      logs.open(spaceId, idle).close()
      const log = logs.open(spaceId, second)
      appendTo(log, [move(3)])
      const { logId } = log
      expect(log.epoch).toBe(second)
      expect(log.holds({ logId, epoch: first, cursor: 2 })).toBe(true)
      // The first process never reached 3: a device that says so has seen another history.
      expect(log.holds({ logId, epoch: first, cursor: 3 })).toBe(false)
      expect(log.holds({ logId, epoch: second, cursor: 3 })).toBe(true)
      expect(log.holds({ logId, epoch: second, cursor: 1 })).toBe(true)
      expect(log.holds({ logId, epoch: second, cursor: 4 })).toBe(false)
      expect(log.holds({ logId, epoch: idle, cursor: 1 })).toBe(false)
      log.close()
    })

    it('holds no position of another log, always its own start, and without an epoch whatever its head covers', () => {
      const log = openNew()
      appendTo(log, [move(1)])
      const { logId } = log
      expect(log.holds({ logId: randomHexId() as LogId, cursor: 0 })).toBe(false)
      expect(log.holds({ logId, epoch: newEpoch(), cursor: 0 })).toBe(true)
      expect(log.holds({ logId, cursor: 1 })).toBe(true)
      expect(log.holds({ logId, cursor: 2 })).toBe(false)
      log.close()
    })

    it('keeps a new log id when it is closed and opened', () => {
      const logs = create()
      const log = logs.open(spaceId, newEpoch())
      const before = log.logId
      const renewed = log.renewLogId()
      expect(renewed).not.toBe(before)
      expect(log.logId).toBe(renewed)
      log.close()
      const again = logs.open(spaceId, newEpoch())
      expect(again.logId).toBe(renewed)
      again.close()
    })

    it('keeps spaces apart, and deletes one for good while the others stay', () => {
      const logs = create()
      const other = 'ffffffffffffffffffffffffffffffff' as SpaceId
      const log = logs.open(spaceId, newEpoch())
      appendTo(log, [move(1)])
      log.close()
      const one = logs.open(other, newEpoch())
      appendTo(one, [move(1), move(2)])
      one.close()
      logs.delete(spaceId)
      logs.delete(spaceId)
      expect(logs.bytesOf(spaceId)).toBe(0)
      const untouched = logs.open(other, newEpoch())
      expect(untouched.head).toBe(2)
      untouched.close()
      const fresh = logs.open(spaceId, newEpoch())
      expect(fresh.head).toBe(0)
      expect(fresh.logId).not.toBe(log.logId)
      fresh.close()
    })
  })
}
