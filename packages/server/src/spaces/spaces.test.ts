import {
  decodeBatch,
  encodeBatch,
  limits,
  type LogId,
  type SpaceId,
  SyncError,
  type TreeId,
  type TreeOperation,
  treeSchema,
  type TreeSnapshot,
} from '@t69/protocol'
import { Replica, toTreeOperation } from '@t69/replica'
import { describe, expect, it } from 'vitest'

import { createMemoryOpLogs } from '../logs/memory-op-logs.ts'
import type { OpLog, OpLogs } from '../logs/op-log.ts'
import { StorageFailure } from '../sqlite/storage-failure.ts'
import { createManualRuntime } from '../testing/manual-runtime.ts'
import { moveOp, newEpoch, opsFrom, otherSpaceId, setOp, spaceId, treeId } from '../testing/ops.ts'
import type { Commit, PushOutcome } from './space.ts'
import { createSpaces, type Spaces, type SpacesOptions } from './spaces.ts'

/**
 * Logs that count their calls, and fail when told to. A log is displaced once `inner` is no longer the store that it
 * was opened in.
 */
function createWatchedOpLogs(inner: OpLogs = createMemoryOpLogs()) {
  const watched = {
    inner,
    appends: 0,
    opens: 0,
    openNow: new Set<string>(),
    failure: undefined as Error | undefined,
    /** Fail after the commit instead of before it. */
    failsLate: false,
  }
  const opLogs: OpLogs = {
    ...inner,
    open: (id, epoch): OpLog => {
      watched.opens++
      watched.openNow.add(id)
      const openedIn = watched.inner
      const log = openedIn.open(id, epoch)
      const check = () => {
        if (watched.inner !== openedIn) throw new SyncError('storage_failed', 'displaced')
      }
      let { head } = log
      return {
        get logId() {
          return log.logId
        },
        get head() {
          return head
        },
        get epoch() {
          return log.epoch
        },
        holds: (position) => log.holds(position),
        renewLogId: () => log.renewLogId(),
        get bytes() {
          return log.bytes
        },
        compare: (op) => log.compare(op),
        wasDeleted: (vertex) => log.wasDeleted(vertex),
        maxClock: (tree) => log.maxClock(tree),
        read: (after, bounds) => log.read(after, bounds),
        readTree: (tree, bounds) => log.readTree(tree, bounds),
        countTree: (tree, atMost) => log.countTree(tree, atMost),
        check,
        append: (ops) => {
          watched.appends++
          check()
          if (watched.failure !== undefined && !watched.failsLate) throw watched.failure
          const range = log.append(ops)
          if (watched.failure !== undefined) throw watched.failure
          head = range.cursor
          return range
        },
        close: () => {
          watched.openNow.delete(id)
          log.close()
        },
      }
    },
  }
  return { watched, opLogs }
}

function setUp(options: Partial<SpacesOptions> = {}, inner?: OpLogs) {
  const runtime = createManualRuntime()
  const { watched, opLogs } = createWatchedOpLogs(inner)
  const errors: object[] = []
  const logger = { info: () => {}, warn: () => {}, error: (details: object) => void errors.push(details) }
  const spaces = createSpaces({ opLogs, epoch: newEpoch(), runtime, logger, ...options })
  const events: (PushOutcome | Commit)[] = []
  const published: Commit[] = []
  spaces.publishTo((commit) => {
    published.push(commit)
    events.push(commit)
  })
  const push = (ops: readonly TreeOperation[], originId = 'a', to = spaceId): PushOutcome[] => {
    const outcomes: PushOutcome[] = []
    spaces.open(to).push({ ops, batch: encodeBatch({ spaceId: to, ops }), originId }, (outcome) => {
      outcomes.push(outcome)
      events.push(outcome)
    })
    return outcomes
  }
  return { runtime, watched, spaces, push, events, published, errors }
}

describe('a space', () => {
  it('[PU1] settles and publishes only after the commit', () => {
    const { runtime, spaces, push, published } = setUp()
    const outcomes = push(opsFrom(1, 2))
    expect(outcomes).toEqual([])
    expect(spaces.open(spaceId).state.head).toBe(0)
    runtime.turn()
    expect(outcomes).toMatchObject([{ ok: true, after: 0, cursor: 2, head: 2, duplicates: 0, rejected: [] }])
    expect(published).toMatchObject([{ after: 0, cursor: 2, originId: 'a' }])
  })

  it('[PU6] commits the pushes of one turn together, each at its own contiguous positions', () => {
    const { runtime, watched, push, events } = setUp()
    push(opsFrom(1, 2, { peer: '1' }), 'a')
    push(opsFrom(1, 3, { peer: '2' }), 'b')
    push(opsFrom(1, 1, { peer: '3' }), 'c')
    runtime.turn()
    expect(watched.appends).toBe(1)
    // Acks and appends of one socket come in this order.
    expect(events).toMatchObject([
      { ok: true, after: 0, cursor: 2, head: 6 },
      { originId: 'a', after: 0, cursor: 2 },
      { ok: true, after: 2, cursor: 5, head: 6 },
      { originId: 'b', after: 2, cursor: 5 },
      { ok: true, after: 5, cursor: 6, head: 6 },
      { originId: 'c', after: 5, cursor: 6 },
    ])
  })

  it('[PU3] finds duplicates and conflicts among the pushes of one turn', () => {
    const { runtime, spaces, push, published } = setUp()
    const first = push([setOp(1, 'a')], 'a')
    const same = push([setOp(1, 'a')], 'b')
    const other = push([setOp(1, 'b'), setOp(2, 'c')], 'c')
    runtime.turn()
    expect(first).toMatchObject([{ after: 0, cursor: 1, duplicates: 0 }])
    expect(same).toMatchObject([{ after: 2, cursor: 2, head: 2, duplicates: 1 }])
    expect(other).toMatchObject([{ after: 1, cursor: 2, rejected: [{ index: 0, code: 'op_conflict' }] }])
    expect(published).toHaveLength(2)
    expect(spaces.open(spaceId).state.head).toBe(2)
  })

  it('[PU7] acks a push that adds nothing with the head, after all acks and appends up to it', () => {
    const { runtime, push, events } = setUp()
    push([setOp(1, 'a')], 'a')
    runtime.turn()
    events.length = 0
    push([setOp(1, 'a')], 'a')
    push([setOp(2, 'b')], 'b')
    runtime.turn()
    expect(events).toMatchObject([
      { ok: true, after: 1, cursor: 2 },
      { originId: 'b', cursor: 2 },
      { ok: true, after: 2, cursor: 2, head: 2, duplicates: 1 },
    ])
  })

  it('passes a batch on as it came only when all of it was committed', () => {
    const { runtime, push, published } = setUp()
    push([setOp(1, 'a')], 'a')
    push([setOp(1, 'b'), setOp(2, 'c')], 'b')
    runtime.turn()
    expect(published[0]?.batch).toEqual(encodeBatch({ spaceId, ops: [setOp(1, 'a')] }))
    expect(published[1]).toMatchObject({ batch: undefined, ops: [setOp(2, 'c')] })
  })

  it('[PU9] refuses every push of a failed commit, publishes nothing, and does not change', () => {
    const { runtime, watched, spaces, push, published, errors } = setUp()
    push([setOp(1, 'a')])
    runtime.turn()
    watched.failure = new SyncError('storage_failed', 'the disk is full')
    // If the clock of a failed operation were remembered, the window would allow `far + 1` below.
    const far = 1 + limits.clockWindow
    const failed = [push([setOp(far, 'b')], 'a'), push([setOp(2, 'c')], 'b')]
    runtime.turn()
    for (const outcomes of failed)
      expect(outcomes).toMatchObject([{ ok: false, error: { code: 'storage_failed' } }])
    expect(published).toHaveLength(1)
    expect(errors).toMatchObject([{ spaceId }])
    expect(spaces.open(spaceId).state.head).toBe(1)
    watched.failure = undefined
    const again = push([setOp(far + 1, 'd'), setOp(2, 'c')])
    runtime.turn()
    expect(again).toMatchObject([
      { ok: true, after: 1, cursor: 2, rejected: [{ index: 0, code: 'clock_out_of_range' }] },
    ])
  })

  it('[LC2] keeps an operation whose vertex and parent are unknown', () => {
    const { runtime, spaces, push } = setUp()
    push([setOp(9, 'early', { target: 'unknown' })])
    runtime.turn()
    expect(decodeBatch(spaces.open(spaceId).pull(0).batch).ops).toEqual([
      setOp(9, 'early', { target: 'unknown' }),
    ])
  })

  it('[PL1] [PL2] [PL4] serves the whole log in pages within the budget, any number of times', () => {
    const { runtime, spaces, push } = setUp()
    const values = Array.from({ length: 60 }, (_, index) => 'x'.repeat((index * 977) % 30_000))
    const ops = [...values.map((value, index) => setOp(index + 1, value)), setOp(61, 'y'.repeat(400_000))]
    for (let at = 0; at < ops.length; at += 20) push(ops.slice(at, at + 20))
    runtime.turn()
    const space = spaces.open(spaceId)
    const read: TreeOperation[] = []
    let after = 0
    for (;;) {
      const page = space.pull(after)
      expect(page).toEqual(space.pull(after))
      expect(page.after).toBe(after)
      const { ops: pageOps } = decodeBatch(page.batch)
      expect(page.cursor).toBe(after + pageOps.length)
      if (page.cursor === after) break
      expect(page.batch.length <= limits.batchBudgetBytes || pageOps.length === 1).toBe(true)
      read.push(...pageOps)
      after = page.cursor
    }
    expect(read).toEqual(ops)
    expect(after).toBe(space.state.head)
  })

  it('[PL3] refuses to read after the head', () => {
    const { spaces } = setUp()
    expect(() => spaces.open(spaceId).pull(1)).toThrow('the log ends at 0')
  })

  describe('joining a space', () => {
    function joined() {
      const all = setUp()
      all.push(opsFrom(1, 3))
      all.runtime.turn()
      const { state } = all.spaces.open(spaceId)
      return { ...all, state }
    }

    it('[JO3] continues from a position that the log holds', () => {
      const { spaces, state } = joined()
      const { logId, epoch } = state
      expect(spaces.open(spaceId).join({ logId, epoch, cursor: 2 })).toEqual({
        ...state,
        cursor: 2,
        renewed: false,
      })
      expect(spaces.open(spaceId).join({ logId, cursor: 3 })).toMatchObject({ cursor: 3, renewed: false })
      expect(spaces.open(spaceId).join({ logId })).toMatchObject({ cursor: 0, renewed: false })
    })

    it.each([
      ['further than the head', { cursor: 4 }],
      ['of an epoch that is not known', { epoch: newEpoch(), cursor: 1 }],
    ])('[JO4] makes a new log id when the position is %s', (_, lost) => {
      const { spaces, state } = joined()
      const reply = spaces.open(spaceId).join({ logId: state.logId, ...lost })
      expect(reply).toMatchObject({ cursor: 0, head: 3, renewed: true })
      expect(reply.logId).not.toBe(state.logId)
      expect(spaces.open(spaceId).state.logId).toBe(reply.logId)
    })

    it('[JO4] makes no second log id soon after, even for invented positions', () => {
      const { spaces, state, runtime } = joined()
      const { logId } = spaces.open(spaceId).join({ logId: state.logId, cursor: 4 })
      expect(() => spaces.open(spaceId).join({ logId, cursor: 4 })).toThrow('a new id a moment ago')
      expect(spaces.open(spaceId).state.logId).toBe(logId)
      runtime.advance(10 * 60_000)
      const { logId: second } = spaces.open(spaceId).join({ logId, cursor: 4 })
      expect(second).not.toBe(logId)
      // The clock had been years ahead. Nobody waits until it reaches that time again.
      runtime.set(0)
      expect(spaces.open(spaceId).join({ logId: second, cursor: 4 })).toMatchObject({ renewed: true })
    })

    it('[JO5] starts from 0 with another log id, or none', () => {
      const { spaces, state } = joined()
      const fresh = { ...state, cursor: 0, renewed: false }
      expect(spaces.open(spaceId).join({})).toEqual(fresh)
      expect(
        spaces.open(spaceId).join({ logId: newEpoch() as string as typeof state.logId, cursor: 3 }),
      ).toEqual(fresh)
    })
  })
})

describe('the spaces of a server', () => {
  it('keep a bounded number of files open: those used last', () => {
    const { spaces, watched } = setUp({ maxOpen: 2 })
    const ids = ['aa', 'bb', 'cc'].map((start) => (start + spaceId.slice(2)) as typeof spaceId)
    for (const id of ids) spaces.open(id)
    expect([...watched.openNow]).toEqual(ids.slice(1))
  })

  it('commit waiting pushes before they close a file to make room', () => {
    const { spaces, runtime, push } = setUp({ maxOpen: 1 })
    const outcomes = push(opsFrom(1, 1))
    spaces.open(otherSpaceId)
    expect(outcomes).toMatchObject([{ ok: true, cursor: 1 }])
    runtime.turn()
    expect(outcomes).toHaveLength(1)
    expect(spaces.open(spaceId).state.head).toBe(1)
  })

  it('close the one used longest ago when the process may open no more files', () => {
    const files = new Set<SpaceId>()
    const inner = createMemoryOpLogs()
    const warnings: object[] = []
    const noFile = Object.assign(new Error('unable to open database file'), { code: 'EMFILE' })
    const opLogs: OpLogs = {
      ...inner,
      open: (id, epoch) => {
        if (files.size >= 2) {
          const failed = new SyncError('storage_failed', 'the storage of this space fails')
          failed.cause = new StorageFailure(id, noFile)
          throw failed
        }
        files.add(id)
        return { ...inner.open(id, epoch), head: 0, close: () => void files.delete(id) }
      },
    }
    const logger = { info: () => {}, warn: (details: object) => void warnings.push(details), error: () => {} }
    const { spaces } = setUp({ opLogs, logger })
    const ids = ['a1', 'b2', 'c3', 'd4'].map((start) => (start + spaceId.slice(2)) as SpaceId)
    for (const id of ids) expect(spaces.open(id).id).toBe(id)
    expect([...files]).toEqual(ids.slice(2))
    expect(spaces.size).toBe(2)
    expect(warnings).toEqual([{ openSpaces: 2 }])
  })

  it('are never mixed up, even if a commit fails while its file is closed to make room', () => {
    const { spaces, runtime, watched, push } = setUp({ maxOpen: 3 })
    const ids = ['a1', 'b2', 'c3', 'd4', 'e5'].map((start) => (start + spaceId.slice(2)) as typeof spaceId)
    const [first, , , fourth, fifth] = ids as [SpaceId, SpaceId, SpaceId, SpaceId, SpaceId]
    for (const id of ids.slice(0, 3)) spaces.open(id)
    const outcomes = push(opsFrom(1, 1), 'a', first)
    watched.failure = new SyncError('storage_failed', 'the disk is full')
    // The space used longest ago is closed to make room, although it has a waiting push.
    for (const id of ids.slice(1, 4)) spaces.open(id)
    expect(outcomes).toMatchObject([{ ok: false, error: { code: 'storage_failed' } }])
    watched.failure = undefined
    spaces.open(fifth)
    expect(spaces.open(fourth).id).toBe(fourth)
    expect(spaces.size).toBe(3)
    expect(watched.openNow.size).toBe(spaces.size)
    runtime.turn()
  })

  it('close a file that was not used for a while, and leave no timer behind', () => {
    const { spaces, runtime, watched } = setUp({ idleMs: 1_000 })
    spaces.open(spaceId)
    runtime.advance(900)
    spaces.open(spaceId)
    runtime.advance(900)
    expect(watched.openNow.size).toBe(1)
    expect(watched.opens).toBe(1)
    runtime.advance(3_000)
    expect(watched.openNow.size).toBe(0)
    expect(runtime.timers).toBe(0)
  })

  it('leave the others alone when one file fails', () => {
    const inner = createMemoryOpLogs()
    const opLogs: OpLogs = {
      ...inner,
      open: (id, epoch) => {
        if (id === otherSpaceId) throw new SyncError('storage_failed', 'corrupt')
        return inner.open(id, epoch)
      },
    }
    const { spaces, push, runtime } = setUp({ opLogs })
    expect(() => spaces.open(otherSpaceId)).toThrow('corrupt')
    const outcomes = push(opsFrom(1, 1))
    runtime.turn()
    expect(outcomes).toMatchObject([{ ok: true }])
  })

  it('refuse the waiting pushes of a deleted space, and forget it', () => {
    const { spaces, push, runtime, published } = setUp()
    push(opsFrom(1, 1))
    runtime.turn()
    const { logId } = spaces.open(spaceId).state
    const waiting = push(opsFrom(2, 1))
    spaces.delete(spaceId)
    spaces.delete(spaceId)
    runtime.turn()
    expect(waiting).toMatchObject([{ ok: false, error: { code: 'not_found' } }])
    expect(published).toHaveLength(1)
    const { state } = spaces.open(spaceId)
    expect(state.head).toBe(0)
    expect(state.logId).not.toBe(logId)
  })

  it('commit waiting pushes before they close, and refuse everything afterwards', async () => {
    const { spaces, push, watched } = setUp()
    const outcomes = push(opsFrom(1, 1))
    await spaces.close()
    expect(outcomes).toMatchObject([{ ok: true, cursor: 1 }])
    expect(watched.openNow.size).toBe(0)
    expect(() => spaces.open(spaceId)).toThrow('shutting down')
  })
})

describe('a log that was replaced', () => {
  /** Replaces a file by an older copy after it was not used for `wait` ms. */
  function replaced(copyAt: number, goOn: number, wait = 5_000) {
    const older = createMemoryOpLogs()
    const all = setUp({ idleMs: 1_000 }, older)
    const told: string[] = []
    all.spaces.publishTo(
      () => {},
      (id) => void told.push(id),
    )
    const commit = (first: number, count: number) => {
      if (count > 0) all.push(opsFrom(first, count))
      all.runtime.turn()
    }
    commit(1, copyAt)
    const copy = older.copy()
    commit(copyAt + 1, goOn)
    const { state } = all.spaces.open(spaceId)
    const displace = () => (all.watched.inner = copy)
    all.runtime.advance(wait)
    if (wait > 0) displace()
    return { ...all, told, state, displace }
  }

  it('[LC3] gets a new id, and everybody in the space has to join again', () => {
    const { spaces, told, state } = replaced(3, 2)
    expect(spaces.open(spaceId).state.head).toBe(3)
    expect(spaces.open(spaceId).state.logId).not.toBe(state.logId)
    expect(told).toEqual([spaceId])
  })

  it('[LC3] gets a new id when it is replaced while it is open, and its waiting pushes are refused', () => {
    const { spaces, told, state, push, runtime, published, errors, displace } = replaced(3, 2, 0)
    const waiting = push(opsFrom(6, 1))
    displace()
    const before = published.length
    const after = push(opsFrom(7, 1))
    expect(waiting).toMatchObject([{ ok: false, error: { code: 'storage_failed' } }])
    expect(spaces.open(spaceId).state.logId).not.toBe(state.logId)
    runtime.turn()
    expect(after).toMatchObject([{ ok: true, cursor: 4 }])
    expect(published).toHaveLength(before)
    expect(told).toEqual([spaceId])
    expect(errors.length).toBeGreaterThan(0)
  })

  it('[PU9] is read again by everybody when a commit that was reported as failed is in it', () => {
    const { spaces, watched, push, runtime } = setUp()
    const told: string[] = []
    spaces.publishTo(
      () => {},
      (id) => void told.push(id),
    )
    push(opsFrom(1, 1))
    runtime.turn()
    const { logId } = spaces.open(spaceId).state
    watched.failure = new SyncError('storage_failed', 'the disk is full')
    watched.failsLate = true
    const refused = push(opsFrom(2, 1))
    runtime.turn()
    expect(refused).toMatchObject([{ ok: false }])
    watched.failure = undefined
    const again = push(opsFrom(2, 1))
    runtime.turn()
    expect(again).toMatchObject([{ ok: true, logId, cursor: 2, duplicates: 1 }])
    expect(told).toEqual([spaceId])
  })

  it('keeps its id when nothing is missing', () => {
    const { spaces, told, state } = replaced(3, 0)
    expect(spaces.open(spaceId).state).toEqual(state)
    expect(told).toEqual([])
  })
})

describe('reading a tree', () => {
  function withTree(options: Partial<SpacesOptions> = {}) {
    const all = setUp(options)
    const tree = Replica.create(treeId)
    const pushLocal = () => {
      all.push(tree.popLocalOps().map((op) => toTreeOperation(op, { spaceId, treeId })))
      all.runtime.turn()
    }
    const root = tree.root!
    const first = tree.newVertex(root.id, { name: 'first' })
    tree.newVertex(root.id, { name: 'second' })
    tree.newVertex(first.id, { name: 'below', done: null })
    pushLocal()
    return { ...all, tree, first, pushLocal }
  }

  const read = async (spaces: Spaces, tree = treeId) =>
    treeSchema.parse(JSON.parse(await spaces.readTree({ spaceId, treeId: tree })))
  const names = ({ vertices }: TreeSnapshot) => vertices.map(({ properties }) => properties['name'])
  const digestAt = (spaces: Spaces, cursor: number, tree = treeId) => {
    const { logId } = spaces.open(spaceId).state
    return spaces.digestAt({ spaceId, treeId: tree }, { logId, cursor })
  }

  it('returns it depth first, with digest and position, and without deleted vertices', async () => {
    const { spaces, tree, first, pushLocal } = withTree()
    const before = await read(spaces)
    expect(names(before)).toEqual([undefined, 'first', 'below', 'second'])
    expect(before.vertices[0]).toMatchObject({ id: treeId, parentId: null })
    expect(before.vertices[2]).toMatchObject({ parentId: first.id, properties: { done: null } })
    expect(before.digest).toBe(tree.digest())
    expect(before.cursor).toBe(spaces.open(spaceId).state.head)
    tree.deleteVertex(first.id)
    pushLocal()
    const after = await read(spaces)
    expect(names(after)).toEqual([undefined, 'second'])
    expect(after.digest).toBe(tree.digest())
    expect(after.cursor).toBe(spaces.open(spaceId).state.head)
    tree.dispose()
  })

  it('takes more siblings than a function call takes arguments', async () => {
    const { spaces, runtime, push, tree } = withTree()
    const many = 130_000
    for (let from = 0; from < many; from += 10_000) {
      push(
        Array.from({ length: 10_000 }, (_, index) =>
          moveOp(1_000 + from + index, treeId, { target: `v${from + index}` }),
        ),
      )
      runtime.turn()
    }
    expect((await read(spaces)).vertices).toHaveLength(many + 4)
    tree.dispose()
  })

  it('[LI9] refuses values that take more memory than is allowed', async () => {
    const { spaces, tree, pushLocal } = withTree({ maxTreeBytes: 500 })
    const small = spaces.open(spaceId).state.head
    const grow = (vertices: number) => {
      for (let nth = 0; nth < vertices; nth++) tree.newVertex(treeId, { name: 'x'.repeat(200) })
      pushLocal()
    }
    grow(1)
    expect(names(await read(spaces))).toHaveLength(5)
    grow(2)
    await expect(read(spaces)).rejects.toThrow('more than 500')
    await expect(digestAt(spaces, spaces.open(spaceId).state.head)).rejects.toThrow('more than 500')
    expect(await digestAt(spaces, small)).toMatch(/^[0-9a-f]{32}$/)
    tree.dispose()
  })

  it('is charged by the operations and values that are read, even if they are too large', async () => {
    const { spaces, tree, pushLocal } = withTree({ maxTreeBytes: 1_000_000 })
    let spent = 0
    const budget = { checkOperations: () => {}, spendOperations: (count: number) => void (spent += count) }
    for (const least of [1_500, 3_000, 4_500]) {
      tree.newVertex(treeId, { name: 'x'.repeat(384_000) })
      pushLocal()
      spent = 0
      const { logId, head } = spaces.open(spaceId).state
      await Promise.allSettled([spaces.digestAt({ spaceId, treeId }, { logId, cursor: head }, budget)])
      expect(spent).toBeGreaterThan(least)
    }
    const owing = { ...budget, checkOperations: () => expect.unreachable('who owes is asked first') }
    await expect(spaces.readTree({ spaceId, treeId }, owing)).rejects.toThrow('who owes')
    tree.dispose()
  })

  it('[DV2] gives the digest of a replica at each position, in any order of questions', async () => {
    const { spaces, tree, pushLocal } = withTree()
    const digests = new Map([[0, new Replica({ treeId }).digest()]])
    const note = () => digests.set(spaces.open(spaceId).state.head, tree.digest())
    note()
    for (let edit = 0; edit < 6; edit++) {
      tree.newVertex(treeId, { name: `${edit}` })
      pushLocal()
      note()
      const positions = [...digests.keys()]
      for (const cursor of [...positions, ...positions.toReversed()]) {
        expect(await digestAt(spaces, cursor), `${cursor}`).toBe(digests.get(cursor))
      }
    }
    expect(await digestAt(spaces, 3, 'nothing' as TreeId)).toBe(digests.get(0))
    const elsewhere = { logId: 'ab'.repeat(16) as LogId, cursor: 1 }
    await expect(spaces.digestAt({ spaceId, treeId }, elsewhere)).rejects.toThrow('join again')
    tree.dispose()
  })

  it('finds no tree that the log does not have', async () => {
    const { spaces, tree } = withTree()
    await expect(read(spaces, 'nothing' as TreeId)).rejects.toThrow('no such tree')
    tree.dispose()
  })

  it('releases the space when its storage fails, and logs where', async () => {
    const failed = new SyncError('storage_failed', 'the storage of this space fails')
    const { spaces, watched, errors, tree } = withTree({ trees: () => Promise.reject(failed) })
    await expect(read(spaces)).rejects.toBe(failed)
    expect(watched.openNow.size).toBe(0)
    expect(errors).toMatchObject([{ spaceId, err: failed }])
    tree.dispose()
  })
})
