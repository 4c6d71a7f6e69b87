import {
  hasSameContent,
  limits,
  nullVertexId,
  type ErrorBody,
  type ErrorCode,
  type RejectedOp,
  type TreeId,
  type TreeOperation,
} from '@t69/protocol'

import type { OpLog, VertexName } from '../logs/op-log.ts'
import { type Headroom, unlimitedHeadroom } from './allotment.ts'
import { finish, type Steps } from './steps.ts'

/** The part of a log that admission asks. */
export type LogView = Pick<OpLog, 'compare' | 'maxClock' | 'wasDeleted'>

/** Rejections of one batch that have a message. The rest have only a code, or they would not fit a message (LI1). */
const maxExplained = 1_000
/** Rejections of one batch. At about 55 bytes each, this many just fit a message. */
const maxRejected = 15_000

export interface Admission {
  /** The operations to commit, in this order. */
  readonly accepted: TreeOperation[]
  /** How many operations are in the log already, or came earlier in the batch, with the same content. */
  readonly duplicates: number
  /** In the order of the batch. */
  readonly rejected: RejectedOp[]
  /** Why nothing of the batch is taken, not even the operations that could be. */
  readonly refusal?: ErrorBody
}

/** Operations that are decided about in one step: some 10 ms, if each is looked up. */
const opsAtOnce = 2_000

/** Decides about each operation of a batch (SPEC.md, PU3 to PU6, QU1 and QU2). Each operation is well-formed. */
export function admit(ops: readonly TreeOperation[], log: LogView, headroom = unlimitedHeadroom): Admission {
  return finish(admitInSteps(ops, log, headroom))
}

/** The same in steps, between which nothing may be added to the log. */
export function* admitInSteps(
  ops: readonly TreeOperation[],
  log: LogView,
  headroom: Headroom,
): Steps<Admission> {
  const staged = createStage(log)
  const accepted: TreeOperation[] = []
  const rejected: RejectedOp[] = []
  let duplicates = 0
  /** Looks up whether a move brings something back only once other operations are refused. */
  const isBeyond = (op: TreeOperation): boolean => {
    if (accepted.length < headroom.ops) return false
    if (isDelete(op)) return accepted.length >= headroom.deletes
    return accepted.length >= headroom.returns || !isReturn(op, staged)
  }
  const reject = (index: number, code: ErrorCode, message: string): void => {
    rejected.push({ index, code, message: rejected.length < maxExplained ? message : '' })
  }
  for (const [index, op] of ops.entries()) {
    if (index > 0 && index % opsAtOnce === 0) yield
    const highest = staged.maxClock(op.treeId)
    // Above the highest clock no operation can have this id, so a new one costs no look-up.
    const known = op.clock > highest ? 'absent' : staged.compare(op)
    if (known === 'same') {
      duplicates++
    } else if (known === 'other') {
      const message = `operation ${op.clock}@${op.peerId} is in the log with another content`
      reject(index, 'op_conflict', message)
    } else if (op.clock > highest + limits.clockWindow) {
      const message = `clock ${op.clock} is more than ${limits.clockWindow} above the tree's highest, ${highest}`
      reject(index, 'clock_out_of_range', message)
    } else if (isBeyond(op)) {
      reject(index, 'quota_exceeded', headroom.reason)
    } else {
      staged.add(op)
      accepted.push(op)
    }
  }
  if (rejected.length > maxRejected)
    return { accepted: [], duplicates: 0, rejected: [], refusal: tooManyRejected }
  return { accepted, duplicates, rejected }
}

const tooManyRejected: ErrorBody = {
  code: 'too_large',
  message: `more than ${maxRejected} operations of the batch would be rejected: push less at once`,
}

/** Whether the operation takes away a vertex with everything below it, or a property. */
function isDelete(op: TreeOperation): boolean {
  return op.key === undefined ? op.parentId === nullVertexId : op.value === undefined
}

/** Whether the operation brings back a deleted vertex. */
function isReturn(op: TreeOperation, log: LogView): boolean {
  return op.key === undefined && op.parentId !== nullVertexId && log.wasDeleted(op)
}

export interface Stage extends LogView {
  add(op: TreeOperation): void
}

/**
 * A log as it will be once the operations added here are committed. The cost of comparing follows from the size of
 * the operation that is asked about, not from that of the known one: a small message must not cause much work.
 */
export function createStage(log: LogView): Stage {
  const trees = new Map<TreeId, StagedTree>()
  const clocks = new Map<TreeId, number>()
  const texts = new Map<TreeOperation, string>()
  const deleted = new Set<string>()

  function maxClock(treeId: TreeId): number {
    let highest = clocks.get(treeId)
    if (highest === undefined) {
      highest = log.maxClock(treeId)
      clocks.set(treeId, highest)
    }
    return highest
  }

  /** The value of a staged operation as JSON text, made once. */
  function textOf(op: TreeOperation): string {
    let text = texts.get(op)
    if (text === undefined) texts.set(op, (text = JSON.stringify(op.value)))
    return text
  }

  return {
    maxClock,
    compare: (op) => {
      const tree = trees.get(op.treeId)
      const first = tree?.byClock.get(op.clock)
      const staged = first?.peerId === op.peerId ? first : tree?.others.get(nameOf(op))
      if (staged === undefined) return log.compare(op)
      return hasSameContent(staged, op, textOf) ? 'same' : 'other'
    },
    wasDeleted: (vertex) => deleted.has(vertexKey(vertex)) || log.wasDeleted(vertex),
    add: (op) => {
      if (op.parentId === nullVertexId) deleted.add(vertexKey(op))
      if (op.clock > maxClock(op.treeId)) clocks.set(op.treeId, op.clock)
      let tree = trees.get(op.treeId)
      if (tree === undefined) trees.set(op.treeId, (tree = { byClock: new Map(), others: new Map() }))
      if (tree.byClock.has(op.clock)) tree.others.set(nameOf(op), op)
      else tree.byClock.set(op.clock, op)
    },
  }
}

interface StagedTree {
  /** The first operation of each clock: a number is a cheaper key than the text of an id. */
  readonly byClock: Map<number, TreeOperation>
  /** Operations of other peers at the same clocks. */
  readonly others: Map<string, TreeOperation>
}

// Neither id has a space in it.
function vertexKey({ treeId, targetId }: VertexName): string {
  return `${treeId} ${targetId}`
}

function nameOf({ clock, peerId }: TreeOperation): string {
  return `${clock}@${peerId}`
}
