import { decodeBatch, encodeBatch, type SpaceId, SyncError, type TreeOperation } from '@t69/protocol'

import type { OpLog } from '../logs/op-log.ts'
import { type Admission, admitInSteps, createStage } from './admit.ts'
import { type Allotment, headroomIn } from './allotment.ts'
import type { CachedView } from './cached-view.ts'
import { stateOf } from './log-state.ts'
import type { Steps } from './steps.ts'
import type { CommittedGroup, EncodedPush, PushGroup, PushResult } from './storage.ts'

/** Bytes that an operation takes in a file besides its value: ids in a row of the table and in one of its index. */
const bytesPerOp = 250

interface AdmittedPush extends Admission {
  readonly push: EncodedPush
  readonly decoded: number
}

/** Operations that are appended at once: some 20 ms of a thread, and a flush. */
const opsAtOnce = 2_000

/** Groups of operations that are looked up at once: as long, if each is in a segment of its own. */
const groupsAtOnce = 8

/**
 * Commits the pushes of a group in one transaction, since each transaction costs a flush to the disk. Each push keeps a
 * contiguous range of its own. Works in steps, between which other spaces are served: a large group is committed in
 * several transactions. If one fails, those before stay in the log.
 */
export function* commitGroup(
  log: OpLog,
  view: CachedView,
  { spaceId, pushes, allotment, now }: PushGroup & { readonly spaceId: SpaceId },
): Steps<CommittedGroup> {
  const decodedPushes: (TreeOperation[] | SyncError)[] = []
  for (const { batch } of pushes) {
    const ops = decode(batch, spaceId)
    decodedPushes.push(ops)
    if (!(ops instanceof SyncError) && ops.length > opsAtOnce) yield
  }
  // Before the log is asked what it has: an index that has lost an entry would let an operation in twice.
  while (!log.checkRows()) yield
  const known = yield* lookUp(log, view, decodedPushes)
  const bytes = bytesOf(log, pushes, decodedPushes, allotment)
  const stage = createStage({ ...view, compare: (op) => known.get(op) ?? 'absent' })
  const held = { ops: log.head, bytes }
  const admitted: AdmittedPush[] = []
  for (const [index, push] of pushes.entries()) {
    const ops = decodedPushes[index] ?? []
    if (ops instanceof SyncError) {
      admitted.push({ push, decoded: 0, accepted: [], duplicates: 0, rejected: [], refusal: ops.body })
      continue
    }
    const admission = yield* admitInSteps(ops, stage, headroomIn(allotment, held))
    // What comes later in the group is compared with it.
    if (index < pushes.length - 1) for (const op of admission.accepted) stage.add(op)
    const taken = admission.accepted.length
    held.ops += taken
    held.bytes += growthOf(push, taken)
    admitted.push({ push, decoded: ops.length, ...admission })
  }
  const after = log.head
  const at = yield* append(log, view, admitted, now)
  const state = stateOf(log)
  let position = after
  const results = admitted.map((one, index): PushResult => {
    const { decoded, accepted, duplicates, rejected, refusal } = one
    if (refusal !== undefined) return { ok: false, error: refusal }
    const added = { ok: true, at: at[index] ?? now, duplicates, rejected } as const
    if (accepted.length === 0) return { ...added, after: state.head, cursor: state.head }
    const from = position
    position += accepted.length
    const range = { ...added, after: from, cursor: position }
    if (accepted.length === decoded) return range
    return { ...range, batch: encodeBatch({ spaceId, ops: accepted }) }
  })
  return { state, results, grownBytes: held.bytes - bytes }
}

/** About how many bytes a push adds to a log that takes `count` of its operations. */
function growthOf({ batch }: EncodedPush, count: number): number {
  return count === 0 ? 0 : batch.byteLength + count * bytesPerOp
}

/**
 * How many bytes the log takes. Where it would not be full with all that is pushed, the most that it may be is good enough: to
 * find out costs as much as it takes to store some operations.
 */
function bytesOf(
  log: OpLog,
  pushes: readonly EncodedPush[],
  decodedPushes: readonly (TreeOperation[] | SyncError)[],
  { any }: Allotment,
): number {
  let most = log.bytesAtMost
  for (const [index, push] of pushes.entries()) {
    const ops = decodedPushes[index] ?? []
    most += ops instanceof SyncError ? 0 : growthOf(push, ops.length)
  }
  return most < any.bytes ? log.bytesAtMost : log.bytes
}

/** Finds those of the operations that are in the log, all together: what is settled is read a segment at a time. */
function* lookUp(
  log: OpLog,
  view: CachedView,
  decodedPushes: readonly (TreeOperation[] | SyncError)[],
): Steps<ReadonlyMap<TreeOperation, 'same' | 'other'>> {
  // Above the highest clock of its tree, nothing can have an operation's id.
  const asked = decodedPushes.flatMap((ops) =>
    ops instanceof SyncError ? [] : ops.filter(({ treeId, clock }) => clock <= view.maxClock(treeId)),
  )
  if (asked.length <= groupsAtOnce) return log.lookUp(asked)
  const known = new Map<TreeOperation, 'same' | 'other'>()
  for (const part of yield* readTogether(log, asked)) {
    for (const [op, verdict] of log.lookUp(part)) known.set(op, verdict)
    yield
  }
  return known
}

/** The operations in parts that are looked up in one step each. However few there are, each may be in a segment of its own. */
function* readTogether(
  log: OpLog,
  ops: readonly TreeOperation[],
): Steps<readonly (readonly TreeOperation[])[]> {
  const parts: TreeOperation[][] = []
  for (let from = 0; from < ops.length; from += opsAtOnce) {
    const groups = log.readTogether(ops.slice(from, from + opsAtOnce))
    for (let first = 0; first < groups.length; first += groupsAtOnce) {
      parts.push(groups.slice(first, first + groupsAtOnce).flat())
    }
    yield
  }
  return parts
}

/** Appends what was admitted of each push, in their order. Returns when each was. */
function* append(
  log: OpLog,
  view: CachedView,
  admitted: readonly AdmittedPush[],
  now: number,
): Steps<readonly number[]> {
  const contributions = admitted.map(({ push: { userId }, accepted }) => ({ userId, ops: accepted }))
  const count = contributions.reduce((sum, { ops }) => sum + ops.length, 0)
  if (count <= opsAtOnce) {
    const { at } = log.append(contributions, now)
    for (const { ops } of contributions) view.raise(ops)
    return at
  }
  const times: number[] = []
  for (const { userId, ops } of contributions) {
    let time = now
    for (let from = 0; from < ops.length; from += opsAtOnce) {
      yield
      const part = ops.slice(from, from + opsAtOnce)
      const { at } = log.append([{ userId, ops: part }], now)
      view.raise(part)
      if (from === 0) time = at[0] ?? now
    }
    times.push(time)
  }
  return times
}

/** The operations of a batch, or why it is refused. */
function decode(batch: Uint8Array, spaceId: SpaceId): TreeOperation[] | SyncError {
  try {
    const decoded = decodeBatch(batch)
    if (decoded.spaceId === spaceId) return [...decoded.ops]
    return new SyncError('invalid_batch', `the batch is of space ${decoded.spaceId}`)
  } catch (error) {
    if (error instanceof SyncError) return error
    throw error
  }
}
