import {
  type AccessId,
  decodeBatch,
  encodeBatch,
  limits,
  type LogId,
  randomHexId,
  type SpaceId,
  type SpaceIdentity,
  SyncError,
  type TreeId,
  type TreeOperation,
  treeSchema,
  type TreeSnapshot,
} from '@t69/protocol'
import { Replica, toTreeOperation } from '@t69/replica'
import { describe, expect, it } from 'vitest'

import { unlimitedBudget } from '../limits/budget.ts'
import { createMemoryOpLogs } from '../logs/memory-op-logs.ts'
import type { OpLog, OpLogs } from '../logs/op-log.ts'
import type { AccessInLogs, KeptAccess } from '../ports/access-in-logs.ts'
import { StorageFailure } from '../sqlite/storage-failure.ts'
import { createInlineStorage } from '../storage/inline-storage.ts'
import { LogGoneError } from '../storage/log-gone-error.ts'
import type { JoinPosition, Storage } from '../storage/storage.ts'
import { settled } from '../testing/gateway-harness.ts'
import { createManualRuntime } from '../testing/manual-runtime.ts'
import {
  anybody,
  moveOp,
  newEpoch,
  newUserId,
  opsFrom,
  otherSpaceId,
  setOp,
  spaceId,
  treeId,
} from '../testing/ops.ts'
import type { CommittedPush, PushOutcome } from './space.ts'
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
        isReadOnly: log.isReadOnly,
        get access() {
          return log.access
        },
        keepAccess: (access) => {
          if (watched.failure !== undefined) throw watched.failure
          log.keepAccess(access)
        },
        holds: (position) => log.holds(position),
        renewLogId: () => log.renewLogId(),
        get bytes() {
          return log.bytes
        },
        get bytesAtMost() {
          return log.bytesAtMost
        },
        checkRows: () => log.checkRows(),
        compare: (op) => log.compare(op),
        lookUp: (ops) => log.lookUp(ops),
        readTogether: (ops) => log.readTogether(ops),
        wasDeleted: (vertex) => log.wasDeleted(vertex),
        maxClock: (tree) => log.maxClock(tree),
        segmentAt: (after) => log.segmentAt(after),
        isUnsettled: false,
        isOverdue: false,
        settle: () => {},
        read: (after, bounds) => log.read(after, bounds),
        readTree: (tree, bounds) => log.readTree(tree, bounds),
        commits: (range, atMost) => log.commits(range, atMost),
        countTree: (tree, atMost) => log.countTree(tree, atMost),
        check,
        append: (contributions, now) => {
          watched.appends++
          check()
          if (watched.failure !== undefined && !watched.failsLate) throw watched.failure
          const range = log.append(contributions, now)
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

interface SetUp extends Partial<Omit<SpacesOptions, 'storage'>> {
  /** Instead of logs in memory. */
  readonly inner?: OpLogs
  /** What stands between the spaces and their storage. */
  readonly around?: (storage: Storage) => Storage
}

function setUp({ inner, around = (storage) => storage, ...options }: SetUp = {}) {
  const runtime = createManualRuntime()
  const { watched, opLogs } = createWatchedOpLogs(inner)
  const errors: object[] = []
  const logger = { info: () => {}, warn: () => {}, error: (details: object) => void errors.push(details) }
  const storage = around(createInlineStorage(opLogs, newEpoch()))
  const spaces = createSpaces({ storage, runtime, logger, ...options })
  const turn = async (): Promise<void> => {
    await settled()
    runtime.turn()
    await settled()
  }
  const advance = async (ms: number): Promise<void> => {
    runtime.advance(ms)
    await settled()
  }
  const events: (PushOutcome | CommittedPush)[] = []
  const published: CommittedPush[] = []
  spaces.publishTo((commit) => {
    published.push(commit)
    events.push(commit)
  })
  const push = async (
    ops: readonly TreeOperation[],
    originId = 'a',
    to = spaceId,
    userId = anybody,
  ): Promise<PushOutcome[]> => {
    const outcomes: PushOutcome[] = []
    const space = await spaces.open(to)
    const batch = encodeBatch({ spaceId: to, ops })
    space.push({ batch, count: ops.length, originId, userId }, (outcome) => {
      outcomes.push(outcome)
      events.push(outcome)
    })
    return outcomes
  }
  return { runtime, turn, advance, watched, spaces, push, events, published, errors }
}

const stateOf = async (spaces: Spaces) => (await spaces.open(spaceId)).state
const pull = async (spaces: Spaces, after: number, maxBytes?: number) =>
  (await spaces.open(spaceId)).pull(after, { maxBytes })

async function join(spaces: Spaces, position: JoinPosition) {
  const space = await spaces.open(spaceId)
  let renewed = false
  const { cursor } = await space.join(position, { renewed: () => (renewed = true) })
  return { ...space.state, cursor, renewed }
}

describe('a space', () => {
  it('[PU1] settles and publishes only after the commit', async () => {
    const { spaces, push, published, turn } = setUp()
    const outcomes = await push(opsFrom(1, 2))
    expect(outcomes).toEqual([])
    expect((await stateOf(spaces)).head).toBe(0)
    await turn()
    expect(outcomes).toMatchObject([{ ok: true, after: 0, cursor: 2, head: 2, duplicates: 0, rejected: [] }])
    expect(published).toMatchObject([{ after: 0, cursor: 2, originId: 'a' }])
  })

  it('[PU6] commits the pushes of one turn together, each at its own contiguous positions', async () => {
    const { watched, push, events, turn } = setUp()
    await push(opsFrom(1, 2, { peer: '1' }), 'a')
    await push(opsFrom(1, 3, { peer: '2' }), 'b')
    await push(opsFrom(1, 1, { peer: '3' }), 'c')
    await turn()
    expect(watched.appends).toBe(1)
    // Acks and appends of one socket come in this order.
    expect(events).toMatchObject([
      { originId: 'a', after: 0, cursor: 2 },
      { ok: true, after: 0, cursor: 2, head: 6 },
      { originId: 'b', after: 2, cursor: 5 },
      { ok: true, after: 2, cursor: 5, head: 6 },
      { originId: 'c', after: 5, cursor: 6 },
      { ok: true, after: 5, cursor: 6, head: 6 },
    ])
  })

  it('[PU3] finds duplicates and conflicts among the pushes of one turn', async () => {
    const { spaces, push, published, turn } = setUp()
    const first = await push([setOp(1, 'a')], 'a')
    const same = await push([setOp(1, 'a')], 'b')
    const other = await push([setOp(1, 'b'), setOp(2, 'c')], 'c')
    await turn()
    expect(first).toMatchObject([{ after: 0, cursor: 1, duplicates: 0 }])
    expect(same).toMatchObject([{ after: 2, cursor: 2, head: 2, duplicates: 1 }])
    expect(other).toMatchObject([{ after: 1, cursor: 2, rejected: [{ index: 0, code: 'op_conflict' }] }])
    expect(published).toHaveLength(2)
    expect((await stateOf(spaces)).head).toBe(2)
  })

  it('[PU7] acks a push that adds nothing with the head, after all acks and appends up to it', async () => {
    const { push, events, turn } = setUp()
    await push([setOp(1, 'a')], 'a')
    await turn()
    events.length = 0
    await push([setOp(1, 'a')], 'a')
    await push([setOp(2, 'b')], 'b')
    await turn()
    expect(events).toMatchObject([
      { originId: 'b', cursor: 2 },
      { ok: true, after: 1, cursor: 2 },
      { ok: true, after: 2, cursor: 2, head: 2, duplicates: 1 },
    ])
  })

  it('passes a batch on as it came only when all of it was committed', async () => {
    const { push, published, turn } = setUp()
    await push([setOp(1, 'a')], 'a')
    await push([setOp(1, 'b'), setOp(2, 'c')], 'b')
    await turn()
    expect(published[0]?.batch).toEqual(encodeBatch({ spaceId, ops: [setOp(1, 'a')] }))
    expect(decodeBatch(published[1]!.batch).ops).toEqual([setOp(2, 'c')])
  })

  it('[PU9] refuses every push of a failed commit, publishes nothing, and does not change', async () => {
    const { watched, spaces, push, published, errors, turn } = setUp()
    await push([setOp(1, 'a')])
    await turn()
    watched.failure = new SyncError('storage_failed', 'the disk is full')
    // If the clock of a failed operation were remembered, the window would allow `far + 1` below.
    const far = 1 + limits.clockWindow
    const failed = [await push([setOp(far, 'b')], 'a'), await push([setOp(2, 'c')], 'b')]
    await turn()
    for (const outcomes of failed)
      expect(outcomes).toMatchObject([{ ok: false, error: { code: 'storage_failed' } }])
    expect(published).toHaveLength(1)
    expect(errors).toMatchObject([{ spaceId }])
    expect([...spaces.failing.keys()]).toEqual([spaceId])
    expect((await stateOf(spaces)).head).toBe(1)
    watched.failure = undefined
    await spaces.open(spaceId)
    expect([...spaces.failing.keys()]).toEqual([])
    const again = await push([setOp(far + 1, 'd'), setOp(2, 'c')])
    await turn()
    expect(again).toMatchObject([
      { ok: true, after: 1, cursor: 2, rejected: [{ index: 0, code: 'clock_out_of_range' }] },
    ])
  })

  it('[LC2] keeps an operation whose vertex and parent are unknown', async () => {
    const { spaces, push, turn } = setUp()
    await push([setOp(9, 'early', { target: 'unknown' })])
    await turn()
    expect(decodeBatch((await pull(spaces, 0)).batch).ops).toEqual([setOp(9, 'early', { target: 'unknown' })])
  })

  it('[PL1] [PL2] [PL4] serves the whole log in pages within the budget, any number of times', async () => {
    const { spaces, push, turn } = setUp()
    const values = Array.from({ length: 60 }, (_, index) => 'x'.repeat((index * 977) % 30_000))
    const ops = [...values.map((value, index) => setOp(index + 1, value)), setOp(61, 'y'.repeat(400_000))]
    for (let at = 0; at < ops.length; at += 20) await push(ops.slice(at, at + 20))
    await turn()
    const space = await spaces.open(spaceId)
    const read: TreeOperation[] = []
    let after = 0
    for (;;) {
      const page = await space.pull(after)
      expect(page).toEqual(await space.pull(after))
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

  it('[CO1] [CO4] says in pages, appends and acks who committed what, also within one group', async () => {
    const { runtime, spaces, push, published, turn } = setUp()
    const [anna, ben] = [newUserId(), newUserId()]
    const acks = [
      await push(opsFrom(1, 2), 'a', spaceId, anna),
      await push([...opsFrom(2, 1), ...opsFrom(3, 1)], 'b', spaceId, ben),
      await push(opsFrom(1, 1), 'b', spaceId, ben),
    ]
    const at = runtime.now()
    await turn()
    expect(acks.flat().map((ack) => ack.ok && ack.at)).toEqual([at, at, at])
    expect(published.map(({ userId, after, cursor, at: time }) => [userId, after, cursor, time])).toEqual([
      [anna, 0, 2, at],
      [ben, 2, 3, at],
    ])
    expect((await pull(spaces, 0)).commits).toEqual([
      { after: 0, userId: anna, at },
      { after: 2, userId: ben, at },
    ])
    expect((await pull(spaces, 2)).commits).toEqual([{ after: 2, userId: ben, at }])
    expect((await pull(spaces, 3)).commits).toEqual([])
  })

  it('[CO2] ends a page before it would have more than 1,000 commits, and loses nothing at the seam', async () => {
    const { spaces, push, turn } = setUp()
    const users = [newUserId(), newUserId()]
    for (let clock = 1; clock <= 2_001; clock++) await push(opsFrom(clock, 1), 'a', spaceId, users[clock % 2])
    await turn()
    const pages = await Promise.all([0, 1_000, 2_000].map((after) => pull(spaces, after)))
    expect(
      pages.map(({ cursor, commits, batch }) => [cursor, commits.length, decodeBatch(batch).ops.length]),
    ).toEqual([
      [1_000, 1_000, 1_000],
      [2_000, 1_000, 1_000],
      [2_001, 1, 1],
    ])
    for (const { commits } of pages) {
      for (const { after, userId } of commits) expect(userId).toBe(users[(after + 1) % 2])
    }
  })

  it('[CO1] says who committed only what a small page has', async () => {
    const { spaces, push, turn } = setUp()
    const [anna, ben] = [newUserId(), newUserId()]
    await push(opsFrom(1, 600), 'a', spaceId, anna)
    await push(opsFrom(601, 600), 'a', spaceId, ben)
    await turn()
    const seen = new Map<number, unknown>()
    for (let after = 0; after < 1_200;) {
      const { cursor, commits } = await pull(spaces, after, 4_096)
      for (const [index, { after: from, userId }] of commits.entries()) {
        expect(from).toBeGreaterThanOrEqual(after)
        const to = commits[index + 1]?.after ?? cursor
        for (let seq = from + 1; seq <= to; seq++) seen.set(seq, userId)
      }
      after = cursor
    }
    expect(seen.size).toBe(1_200)
    for (const [seq, userId] of seen) expect(userId).toBe(seq <= 600 ? anna : ben)
  })

  it('[PL3] refuses to read after the head', async () => {
    const { spaces } = setUp()
    await expect(pull(spaces, 1)).rejects.toThrow('the log ends at 0')
  })

  describe('joining a space', () => {
    async function joined() {
      const all = setUp()
      await all.push(opsFrom(1, 3))
      await all.turn()
      const { state } = await all.spaces.open(spaceId)
      return { ...all, state }
    }

    it('[JO3] continues from a position that the log holds', async () => {
      const { spaces, state } = await joined()
      const { logId, epoch } = state
      expect(await join(spaces, { logId, epoch, cursor: 2 })).toEqual({
        ...state,
        cursor: 2,
        renewed: false,
      })
      expect(await join(spaces, { logId, cursor: 3 })).toMatchObject({ cursor: 3, renewed: false })
      expect(await join(spaces, { logId })).toMatchObject({ cursor: 0, renewed: false })
    })

    it.each([
      ['further than the head', { cursor: 4 }],
      ['of an epoch that is not known', { epoch: newEpoch(), cursor: 1 }],
    ])('[JO4] makes a new log id when the position is %s', async (_, lost) => {
      const { spaces, state } = await joined()
      const reply = await join(spaces, { logId: state.logId, ...lost })
      expect(reply).toMatchObject({ cursor: 0, head: 3, renewed: true })
      expect(reply.logId).not.toBe(state.logId)
      expect((await stateOf(spaces)).logId).toBe(reply.logId)
    })

    it('[JO4] makes no second log id soon after, even for invented positions', async () => {
      const { spaces, state, runtime, advance } = await joined()
      const { logId } = await join(spaces, { logId: state.logId, cursor: 4 })
      await expect(join(spaces, { logId, cursor: 4 })).rejects.toThrow('a new id a moment ago')
      expect((await stateOf(spaces)).logId).toBe(logId)
      await advance(10 * 60_000)
      const { logId: second } = await join(spaces, { logId, cursor: 4 })
      expect(second).not.toBe(logId)
      // The clock had been years ahead. Nobody waits until it reaches that time again.
      runtime.set(0)
      await advance(10 * 60_000)
      expect(await join(spaces, { logId: second, cursor: 4 })).toMatchObject({ renewed: true })
    })

    it('[JO8] asks the storage once, if the log is opened for it', async () => {
      const asked: string[] = []
      const around = (storage: Storage): Storage => ({
        ...storage,
        open: (given) => (asked.push('open'), storage.open(given)),
        join: (given) => (asked.push('join'), storage.join(given)),
      })
      const { spaces, push, turn, advance } = setUp({ around })
      await push(opsFrom(1, 3))
      await turn()
      const { state } = await spaces.open(spaceId)
      const joinAt = async (position: JoinPosition) => {
        asked.length = 0
        const page = { maxBytes: 9_999 }
        const space = await spaces.open(spaceId, undefined, () => ({ position, page }))
        return space.join(position, { page })
      }
      expect(await joinAt({})).toMatchObject({ cursor: 0, page: { after: 0, cursor: 3 } })
      expect(asked).toEqual(['join'])
      await advance(10 * 60_000)
      const [first, second] = await Promise.all([joinAt({}), joinAt({ ...state, cursor: 2 })])
      expect([first.page, second.page]).toMatchObject([
        { after: 0, cursor: 3 },
        { after: 2, cursor: 3 },
      ])
      // The second device had the same opening to wait for, and asks by itself.
      expect(asked).toEqual(['open', 'join'])
      await advance(10 * 60_000)
      // What it covers was lost, which is found out by itself.
      await expect(joinAt({ logId: state.logId, cursor: 4 })).resolves.toMatchObject({ cursor: 0 })
      expect(asked).toEqual(['open', 'join'])
    })

    it('[JO5] starts from 0 with another log id, or none', async () => {
      const { spaces, state } = await joined()
      const fresh = { ...state, cursor: 0, renewed: false }
      expect(await join(spaces, {})).toEqual(fresh)
      expect(await join(spaces, { logId: newEpoch() as string as typeof state.logId, cursor: 3 })).toEqual(
        fresh,
      )
    })
  })
})

/** Commits take effect, and are then answered one by one, when the test says so. */
function heldCommits() {
  const held: { readonly spaceId: SpaceId; readonly answer: () => void }[] = []
  const around = (storage: Storage): Storage => ({
    ...storage,
    commit: async (group) => {
      const committed = await storage.commit(group)
      await new Promise<void>((answer) => void held.push({ spaceId: group.spaceId, answer }))
      return committed
    },
  })
  const answerNext = async (): Promise<void> => {
    held.shift()?.answer()
    await settled()
  }
  return { around, held, answerNext }
}

describe('while a commit of a space is under way', () => {
  it('[PU6] what is pushed gathers, and is committed in one group afterwards', async () => {
    const { around, answerNext } = heldCommits()
    const { watched, push, turn, events, spaces } = setUp({ around })
    await push(opsFrom(1, 1), 'a')
    await turn()
    for (const clock of [2, 3, 4]) await push(opsFrom(clock, 1), `b${clock}`)
    await turn()
    expect([events, watched.appends]).toEqual([[], 1])
    // Nobody is told of a commit before it is answered.
    expect((await stateOf(spaces)).head).toBe(0)
    await answerNext()
    expect(events).toMatchObject([{ originId: 'a' }, { ok: true, cursor: 1, head: 1 }])
    expect(watched.appends).toBe(2)
    await answerNext()
    expect(events.slice(2)).toMatchObject([
      { originId: 'b2' },
      { cursor: 2, head: 4 },
      { originId: 'b3' },
      { cursor: 3, head: 4 },
      { originId: 'b4' },
      { cursor: 4, head: 4 },
    ])
  })

  it('another space commits and is answered first', async () => {
    const { around, held } = heldCommits()
    const { push, turn } = setUp({ around })
    const slow = await push(opsFrom(1, 1))
    const other = await push(opsFrom(1, 1, { space: otherSpaceId }), 'a', otherSpaceId)
    await turn()
    held.find(({ spaceId }) => spaceId === otherSpaceId)?.answer()
    await settled()
    expect([slow.length, other.length]).toEqual([0, 1])
  })

  it('a group is bounded by its operations, also where they are small', async () => {
    const { watched, push, turn } = setUp()
    const outcomes = []
    for (const first of [1, 801, 1_601]) outcomes.push(await push(opsFrom(first, 800)))
    await turn()
    expect(outcomes.flat()).toMatchObject([{ cursor: 800 }, { cursor: 1_600 }, { cursor: 2_400 }])
    expect(watched.appends).toBe(2)
  })

  it('a group is bounded by its bytes', async () => {
    const { watched, push, turn } = setUp()
    const outcomes = []
    for (const clock of [1, 2, 3, 4, 5]) outcomes.push(await push([setOp(clock, 'x'.repeat(400_000))]))
    await turn()
    expect(outcomes.flat().map((outcome) => outcome.ok)).toEqual([true, true, true, true, true])
    expect(watched.appends).toBe(3)
  })

  it('[AU6] a waiting push is asked about again, and refused if its sender may not push any more', async () => {
    const { around, answerNext } = heldCommits()
    const { spaces, push, turn, watched } = setUp({ around })
    await push(opsFrom(1, 1))
    await turn()
    let isMember = true
    const outcomes: PushOutcome[] = []
    const checkAgain = () => {
      if (!isMember) throw new SyncError('not_found', 'no longer a member')
    }
    const batch = encodeBatch({ spaceId, ops: opsFrom(2, 1) })
    const waiting = { userId: newUserId(), batch, count: 1, checkAgain }
    const space = await spaces.open(spaceId)
    space.push(waiting, (outcome) => void outcomes.push(outcome))
    isMember = false
    await answerNext()
    expect(outcomes).toMatchObject([{ ok: false, error: { code: 'not_found' } }])
    expect(watched.appends).toBe(1)
  })

  it('[SI7] the log keeps an access list after the commit, and whoever waits for it knows that', async () => {
    const kept: KeptAccess = {
      identity: '1'.repeat(32) as SpaceIdentity,
      accessId: 'a'.repeat(32) as AccessId,
      seal: 'the members',
    }
    let present: KeptAccess | undefined
    const order: string[] = []
    const around = (storage: Storage): Storage => ({
      ...storage,
      commit: async (group) => {
        order.push('commit')
        return storage.commit(group)
      },
      keepAccess: async (given) => {
        order.push('keep')
        return storage.keepAccess(given)
      },
    })
    const { spaces, push, runtime } = setUp({ around, access: { merged: () => present } })
    await push(opsFrom(1, 1))
    runtime.turn()
    await Promise.resolve()
    present = kept
    await spaces.keepAccess(spaceId)
    expect(order).toEqual(['commit', 'keep'])
  })

  it('its pushes are refused when the space is deleted, and published to nobody', async () => {
    const { around, answerNext } = heldCommits()
    const { spaces, push, turn, published } = setUp({ around })
    const outcomes = await push(opsFrom(1, 1))
    await turn()
    const deleted = spaces.delete(spaceId)
    await answerNext()
    await deleted
    expect(outcomes).toMatchObject([{ ok: false, error: { code: 'not_found' } }])
    expect(published).toEqual([])
  })

  it('[PU12] too much that waits is refused with a time to wait, for one user before all, and taken later', async () => {
    const { around, answerNext } = heldCommits()
    const { push, turn } = setUp({ around })
    const large = (clock: number) => push([setOp(clock, 'x'.repeat(500_000))])
    await large(1)
    await turn()
    for (let clock = 2; clock <= 33; clock++) await large(clock)
    await expect(large(34)).rejects.toMatchObject({ body: { code: 'unavailable', retryAfterMs: 1_000 } })
    const other = await push([setOp(1, 'small', { peer: '2' })], 'b', spaceId, newUserId())
    expect(other).toEqual([])
    for (let commits = 0; commits < 40; commits++) await answerNext()
    expect(other).toMatchObject([{ ok: true }])
    expect(await large(34)).toEqual([])
  })
})

const thirdSpaceId = 'c'.repeat(32) as SpaceId

describe('the spaces of a server', () => {
  it('keep a bounded number of files open: those used last', async () => {
    const { spaces, watched } = setUp({ maxOpen: 2 })
    const ids = ['aa', 'bb', 'cc'].map((start) => (start + spaceId.slice(2)) as typeof spaceId)
    for (const id of ids) await spaces.open(id)
    expect([...watched.openNow]).toEqual(ids.slice(1))
  })

  it('open what was closed for others while it waited for its user’s turn', async () => {
    const { spaces, watched } = setUp({ maxOpen: 1 })
    const turn = Promise.withResolvers<void>()
    const budget = {
      ...unlimitedBudget,
      inTurn: <Result>(ask: () => Promise<Result>) => turn.promise.then(ask),
    }
    const waiting = spaces.open(spaceId, budget)
    await spaces.open(otherSpaceId)
    expect([...watched.openNow]).toEqual([otherSpaceId])
    turn.resolve()
    expect((await waiting).state.head).toBe(0)
    expect([...watched.openNow]).toEqual([spaceId])
  })

  it('wait for no turn of somebody else who asked for the space before', async () => {
    const { spaces, watched } = setUp()
    const turn = Promise.withResolvers<void>()
    const busy = {
      ...unlimitedBudget,
      payer: newUserId(),
      inTurn: <Result>(ask: () => Promise<Result>) => turn.promise.then(ask),
    }
    const [first, second] = [spaces.open(spaceId, busy), spaces.open(otherSpaceId, busy)]
    expect(await spaces.open(spaceId, { ...unlimitedBudget, payer: newUserId() })).toMatchObject({
      id: spaceId,
    })
    await spaces.keepAccess(otherSpaceId)
    turn.resolve()
    expect(await Promise.all([first, second])).toMatchObject([{ id: spaceId }, { id: otherSpaceId }])
    expect([watched.opens, spaces.size]).toEqual([2, 2])
    await spaces.close()
    expect([...watched.openNow]).toEqual([])
  })

  it('commit waiting pushes before they close a file to make room', async () => {
    const { spaces, push, turn } = setUp({ maxOpen: 1 })
    const outcomes = await push(opsFrom(1, 1))
    await spaces.open(otherSpaceId)
    expect(outcomes).toMatchObject([{ ok: true, cursor: 1 }])
    await turn()
    expect(outcomes).toHaveLength(1)
    expect((await stateOf(spaces)).head).toBe(1)
  })

  it('open a space again whose log the storage has lost, and send nobody away if nothing is missing', async () => {
    let lose = (_isLost: (spaceId: SpaceId) => boolean): void => {}
    const { spaces, push, turn, watched } = setUp({
      around: (storage) => ({ ...storage, onLost: (listener) => void (lose = listener) }),
    })
    const told: SpaceId[] = []
    spaces.publishTo(
      () => {},
      (id) => void told.push(id),
    )
    await push(opsFrom(1, 1))
    await spaces.open(otherSpaceId)
    await turn()
    const before = await stateOf(spaces)
    lose((id) => id === spaceId)
    expect(spaces.size).toBe(1)
    const outcomes = await push(opsFrom(2, 1))
    await turn()
    expect(outcomes).toMatchObject([{ ok: true, logId: before.logId, cursor: 2 }])
    expect([watched.opens, told]).toEqual([3, []])
  })

  it('open a log again that is gone, and read on', async () => {
    let isGone = false
    const { spaces, push, turn, watched } = setUp({
      around: (storage) => ({
        ...storage,
        page: async (given) => {
          if (!isGone) return storage.page(given)
          isGone = false
          throw new LogGoneError()
        },
      }),
    })
    await push(opsFrom(1, 3))
    await turn()
    const space = await spaces.open(spaceId)
    isGone = true
    expect(await space.pull(0)).toMatchObject({ after: 0, cursor: 3 })
    expect(watched.opens).toBe(2)
  })

  it('close the one used longest ago when the process may open no more files', async () => {
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
    const { spaces } = setUp({ inner: opLogs, logger })
    const ids = ['a1', 'b2', 'c3', 'd4'].map((start) => (start + spaceId.slice(2)) as SpaceId)
    for (const id of ids) expect((await spaces.open(id)).id).toBe(id)
    expect([...files]).toEqual(ids.slice(2))
    expect(spaces.size).toBe(2)
    expect(warnings).toEqual([{ openSpaces: 2 }])
  })

  it('are never mixed up, even if a commit fails while its file is closed to make room', async () => {
    const { spaces, watched, push, turn } = setUp({ maxOpen: 3 })
    const ids = ['a1', 'b2', 'c3', 'd4', 'e5'].map((start) => (start + spaceId.slice(2)) as typeof spaceId)
    const [first, , , fourth, fifth] = ids as [SpaceId, SpaceId, SpaceId, SpaceId, SpaceId]
    for (const id of ids.slice(0, 3)) await spaces.open(id)
    const outcomes = await push(opsFrom(1, 1), 'a', first)
    watched.failure = new SyncError('storage_failed', 'the disk is full')
    // The space used longest ago is closed to make room, although it has a waiting push.
    for (const id of ids.slice(1, 4)) await spaces.open(id)
    expect(outcomes).toMatchObject([{ ok: false, error: { code: 'storage_failed' } }])
    watched.failure = undefined
    await spaces.open(fifth)
    expect((await spaces.open(fourth)).id).toBe(fourth)
    expect(spaces.size).toBe(3)
    expect(watched.openNow.size).toBe(spaces.size)
    await turn()
  })

  it('close a file that was not used for a while, and leave no timer behind', async () => {
    const { spaces, runtime, advance, watched } = setUp({ idleMs: 1_000 })
    await spaces.open(spaceId)
    await advance(900)
    await spaces.open(spaceId)
    await advance(900)
    expect(watched.openNow.size).toBe(1)
    expect(watched.opens).toBe(1)
    // However the clock is set.
    runtime.set(0)
    await advance(3_000)
    expect(watched.openNow.size).toBe(0)
    expect(runtime.timers).toBe(0)
  })

  it('close a file that nobody is in, or that was only read, soon after its last use, and others later', async () => {
    const { spaces, push, turn, advance, watched } = setUp({ idleMs: 60_000, restMs: 1_000 })
    const present = new Set([spaceId, thirdSpaceId])
    spaces.publishTo(
      () => {},
      () => {},
      (id) => present.has(id),
    )
    for (const id of [otherSpaceId, thirdSpaceId]) await spaces.open(id)
    await push(opsFrom(1, 1))
    await turn()
    await advance(2_000)
    expect([...watched.openNow]).toEqual([spaceId])
    present.clear()
    await advance(1_000)
    expect(watched.openNow.size).toBe(0)
  })

  it('commit what waits when they are opened anew, and go on', async () => {
    const { spaces, push, turn, watched } = setUp()
    const outcomes = await push(opsFrom(1, 1))
    await spaces.reopen(spaceId)
    expect(outcomes).toMatchObject([{ ok: true, cursor: 1 }])
    expect([watched.opens, watched.openNow.size]).toEqual([2, 1])
    const later = await push(opsFrom(2, 1))
    await turn()
    expect(later).toMatchObject([{ ok: true, cursor: 2 }])
  })

  it('close files that nobody needs sooner while many are open', async () => {
    const { spaces, advance, watched } = setUp({ restMs: 2_000, shortRestMs: 250, maxOpen: 100 })
    const ids = Array.from({ length: 40 }, () => randomHexId() as SpaceId)
    for (const id of ids) await spaces.open(id)
    await advance(500)
    expect(watched.openNow.size).toBe(0)
    for (const id of ids.slice(0, 10)) await spaces.open(id)
    await advance(500)
    expect(watched.openNow.size).toBe(10)
    await advance(2_000)
    expect(watched.openNow.size).toBe(0)
  })

  it('leave the others alone when one file fails', async () => {
    const inner = createMemoryOpLogs()
    const opLogs: OpLogs = {
      ...inner,
      open: (id, epoch) => {
        if (id === otherSpaceId) throw new SyncError('storage_failed', 'corrupt')
        return inner.open(id, epoch)
      },
    }
    const { spaces, push, turn } = setUp({ inner: opLogs })
    await expect(spaces.open(otherSpaceId)).rejects.toThrow('corrupt')
    const outcomes = await push(opsFrom(1, 1))
    await turn()
    expect(outcomes).toMatchObject([{ ok: true }])
  })

  it('refuse the waiting pushes of a deleted space, and forget it', async () => {
    const { spaces, push, published, turn } = setUp()
    await push(opsFrom(1, 1))
    await turn()
    const { logId } = await stateOf(spaces)
    const waiting = await push(opsFrom(2, 1))
    await spaces.delete(spaceId)
    await spaces.delete(spaceId)
    await turn()
    expect(waiting).toMatchObject([{ ok: false, error: { code: 'not_found' } }])
    expect(published).toHaveLength(1)
    const { state } = await spaces.open(spaceId)
    expect(state.head).toBe(0)
    expect(state.logId).not.toBe(logId)
  })

  it('commit waiting pushes before they close, and refuse everything afterwards', async () => {
    const { spaces, push, watched } = setUp()
    const outcomes = await push(opsFrom(1, 1))
    await spaces.close()
    expect(outcomes).toMatchObject([{ ok: true, cursor: 1 }])
    expect(watched.openNow.size).toBe(0)
    await expect(spaces.open(spaceId)).rejects.toThrow('shutting down')
  })
})

describe('a log that was replaced', () => {
  /** Replaces a file by an older copy after it was not used for `wait` ms. */
  async function replaced(copyAt: number, goOn: number, wait = 5_000) {
    const older = createMemoryOpLogs()
    const all = setUp({ idleMs: 1_000, inner: older })
    const told: string[] = []
    all.spaces.publishTo(
      () => {},
      (id) => void told.push(id),
    )
    const commit = async (first: number, count: number) => {
      if (count > 0) await all.push(opsFrom(first, count))
      await all.turn()
    }
    await commit(1, copyAt)
    const copy = older.copy()
    await commit(copyAt + 1, goOn)
    const { state } = await all.spaces.open(spaceId)
    const displace = () => (all.watched.inner = copy)
    await all.advance(wait)
    if (wait > 0) displace()
    return { ...all, told, state, displace }
  }

  it('[LC3] gets a new id, and everybody in the space has to join again', async () => {
    const { spaces, told, state } = await replaced(3, 2)
    expect((await stateOf(spaces)).head).toBe(3)
    expect((await stateOf(spaces)).logId).not.toBe(state.logId)
    expect(told).toEqual([spaceId])
  })

  it('[LC3] gets a new id when it is replaced while it is open, and its waiting pushes are refused', async () => {
    const { spaces, told, state, push, published, errors, displace, turn } = await replaced(3, 2, 0)
    const waiting = await push(opsFrom(6, 1))
    displace()
    const before = published.length
    await turn()
    expect(waiting).toMatchObject([{ ok: false, error: { code: 'storage_failed' } }])
    expect((await stateOf(spaces)).logId).not.toBe(state.logId)
    expect(published).toHaveLength(before)
    const after = await push(opsFrom(7, 1))
    await turn()
    expect(after).toMatchObject([{ ok: true, cursor: 4 }])
    expect(told).toEqual([spaceId])
    expect(errors.length).toBeGreaterThan(0)
  })

  it('[PU9] is read again by everybody when a commit that was reported as failed is in it', async () => {
    const { spaces, watched, push, turn } = setUp()
    const told: string[] = []
    spaces.publishTo(
      () => {},
      (id) => void told.push(id),
    )
    await push(opsFrom(1, 1))
    await turn()
    const { logId } = await stateOf(spaces)
    watched.failure = new SyncError('storage_failed', 'the disk is full')
    watched.failsLate = true
    const refused = await push(opsFrom(2, 1))
    await turn()
    expect(refused).toMatchObject([{ ok: false }])
    watched.failure = undefined
    const again = await push(opsFrom(2, 1))
    await turn()
    expect(again).toMatchObject([{ ok: true, logId, cursor: 2, duplicates: 1 }])
    expect(told).toEqual([spaceId])
  })

  it('keeps its id when nothing is missing', async () => {
    const { spaces, told, state } = await replaced(3, 0)
    expect(await stateOf(spaces)).toEqual(state)
    expect(told).toEqual([])
  })
})

describe('reading a tree', () => {
  async function withTree(options: SetUp = {}) {
    const all = setUp(options)
    const tree = Replica.create(treeId)
    const pushLocal = async () => {
      await all.push(tree.popLocalOps().map((op) => toTreeOperation(op, { spaceId, treeId })))
      await all.turn()
    }
    const root = tree.root!
    const first = tree.newVertex(root.id, { name: 'first' })
    tree.newVertex(root.id, { name: 'second' })
    tree.newVertex(first.id, { name: 'below', done: null })
    await pushLocal()
    return { ...all, tree, first, pushLocal }
  }

  const read = async (spaces: Spaces, tree = treeId) =>
    treeSchema.parse(JSON.parse(await spaces.readTree({ spaceId, treeId: tree })))
  const names = ({ vertices }: TreeSnapshot) => vertices.map(({ properties }) => properties['name'])
  const digestAt = async (spaces: Spaces, cursor: number, tree = treeId) => {
    const { logId } = await stateOf(spaces)
    return spaces.digestAt({ spaceId, treeId: tree }, { logId, cursor })
  }

  it('returns it depth first, with digest and position, and without deleted vertices', async () => {
    const { spaces, tree, first, pushLocal } = await withTree()
    const before = await read(spaces)
    expect(names(before)).toEqual([undefined, 'first', 'below', 'second'])
    expect(before.vertices[0]).toMatchObject({ id: treeId, parentId: null })
    expect(before.vertices[2]).toMatchObject({ parentId: first.id, properties: { done: null } })
    expect(before.digest).toBe(tree.digest())
    expect(before.cursor).toBe((await stateOf(spaces)).head)
    tree.deleteVertex(first.id)
    await pushLocal()
    const after = await read(spaces)
    expect(names(after)).toEqual([undefined, 'second'])
    expect(after.digest).toBe(tree.digest())
    expect(after.cursor).toBe((await stateOf(spaces)).head)
    tree.dispose()
  })

  it('takes more siblings than a function call takes arguments', async () => {
    const { spaces, push, tree, turn } = await withTree()
    const many = 130_000
    for (let from = 0; from < many; from += 10_000) {
      await push(
        Array.from({ length: 10_000 }, (_, index) =>
          moveOp(1_000 + from + index, treeId, { target: `v${from + index}` }),
        ),
      )
      await turn()
    }
    expect((await read(spaces)).vertices).toHaveLength(many + 4)
    tree.dispose()
  })

  it('[LI9] refuses values that take more memory than is allowed', async () => {
    const { spaces, tree, pushLocal } = await withTree({ maxTreeBytes: 500 })
    const small = (await stateOf(spaces)).head
    const grow = async (vertices: number) => {
      for (let nth = 0; nth < vertices; nth++) tree.newVertex(treeId, { name: 'x'.repeat(200) })
      await pushLocal()
    }
    await grow(1)
    expect(names(await read(spaces))).toHaveLength(5)
    await grow(2)
    await expect(read(spaces)).rejects.toThrow('more than 500')
    await expect(digestAt(spaces, (await stateOf(spaces)).head)).rejects.toThrow('more than 500')
    expect(await digestAt(spaces, small)).toMatch(/^[0-9a-f]{32}$/)
    tree.dispose()
  })

  it('is charged by the operations and values that are read, even if they are too large', async () => {
    const { spaces, tree, pushLocal } = await withTree({ maxTreeBytes: 1_000_000 })
    let spent = 0
    const budget = { ...unlimitedBudget, spendOperations: (count: number) => void (spent += count) }
    for (const least of [1_500, 3_000, 4_500]) {
      tree.newVertex(treeId, { name: 'x'.repeat(384_000) })
      await pushLocal()
      spent = 0
      const { logId, head } = await stateOf(spaces)
      await Promise.allSettled([spaces.digestAt({ spaceId, treeId }, { logId, cursor: head }, budget)])
      expect(spent).toBeGreaterThan(least)
    }
    const owing = { ...budget, checkOperations: () => expect.unreachable('who owes is asked first') }
    await expect(spaces.readTree({ spaceId, treeId }, owing)).rejects.toThrow('who owes')
    tree.dispose()
  })

  it('[DV2] gives the digest of a replica at each position, in any order of questions', async () => {
    const { spaces, tree, pushLocal } = await withTree()
    const digests = new Map([[0, new Replica({ treeId }).digest()]])
    const note = async () => digests.set((await stateOf(spaces)).head, tree.digest())
    await note()
    for (let edit = 0; edit < 6; edit++) {
      tree.newVertex(treeId, { name: `${edit}` })
      await pushLocal()
      await note()
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
    const { spaces, tree } = await withTree()
    await expect(read(spaces, 'nothing' as TreeId)).rejects.toThrow('no such tree')
    tree.dispose()
  })

  it('releases the space when its storage fails, and logs where', async () => {
    const failed = new SyncError('storage_failed', 'the storage of this space fails')
    const { spaces, watched, errors, tree } = await withTree({
      around: (storage) => ({ ...storage, readTree: () => Promise.reject(failed) }),
    })
    await expect(read(spaces)).rejects.toBe(failed)
    expect(watched.openNow.size).toBe(0)
    expect(errors).toMatchObject([{ spaceId, err: failed }])
    tree.dispose()
  })
})

describe('[SI7] the access list in a log', () => {
  const identity = '1'.repeat(32) as SpaceIdentity
  const kept = (accessId: string): KeptAccess => ({
    identity,
    accessId: accessId.repeat(32) as AccessId,
    seal: `the members at ${accessId}`,
  })

  it('is merged whenever the log is opened, before anybody uses it, and the result is kept in it', async () => {
    const merged: (KeptAccess | undefined)[] = []
    const answers = [kept('a'), undefined, kept('b')]
    const access: AccessInLogs = {
      merged: (_, found) => {
        merged.push(found)
        return answers.shift()
      },
    }
    const { spaces, advance } = setUp({ access, idleMs: 1_000 })
    const reopen = async () => {
      await spaces.open(spaceId)
      await advance(5_000)
    }
    for (let times = 0; times < 3; times++) await reopen()
    expect(merged).toEqual([undefined, kept('a'), kept('a')])
    await spaces.keepAccess(spaceId)
    expect(merged.at(-1)).toEqual(kept('b'))
  })

  it('tells, while it is merged, who keeps it in the log, and is opened once for that', async () => {
    let told = 0
    const access: AccessInLogs = {
      merged: () => {
        if (told++ > 3) throw new Error('it merges for ever')
        void spaces.keepAccess(spaceId)
        void spaces.keepAccess(spaceId, async (keep) => {
          await settled()
          await keep()
        })
        return kept('a')
      },
    }
    const { spaces, watched } = setUp({ access })
    await spaces.open(spaceId)
    await settled()
    expect([told, watched.opens]).toEqual([1, 1])
  })

  it('is compared in every open space after others changed the accounts', async () => {
    const asked: SpaceId[] = []
    const access: AccessInLogs = {
      merged: (id) => {
        if (asked.push(id) > 10) throw new Error('it compares for ever')
        return undefined
      },
    }
    const { spaces, errors } = setUp({ access })
    for (const id of [spaceId, otherSpaceId]) await spaces.open(id)
    asked.length = 0
    await spaces.reviewAccess()
    expect(errors).toEqual([])
    expect(asked.toSorted()).toEqual([spaceId, otherSpaceId].toSorted())
  })

  it('is kept later where the log takes no writes now, and people read on', async () => {
    const merged: (KeptAccess | undefined)[] = []
    const access: AccessInLogs = {
      merged: (_, found) => {
        merged.push(found)
        return found === undefined ? kept('a') : undefined
      },
    }
    const { spaces, watched, advance, errors } = setUp({ access, idleMs: 1_000 })
    watched.failure = new SyncError('storage_failed', 'the disk is full')
    expect((await pull(spaces, 0)).cursor).toBe(0)
    expect(errors).toHaveLength(1)
    watched.failure = undefined
    for (let times = 0; times < 2; times++) {
      await advance(5_000)
      await spaces.open(spaceId)
    }
    expect(merged).toEqual([undefined, undefined, kept('a')])
  })

  it('closes the log again when it cannot be merged', async () => {
    const access: AccessInLogs = {
      merged: () => {
        throw new Error('the accounts cannot be read')
      },
    }
    const { spaces, watched } = setUp({ access })
    await expect(spaces.open(spaceId)).rejects.toThrow('the accounts cannot be read')
    expect([spaces.size, watched.openNow.size]).toEqual([0, 0])
  })
})
