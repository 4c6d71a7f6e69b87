import { limits, type RejectedOp, type TreeId, type TreeOperation } from '@t69/protocol'

import type { OpId, OpLog } from '../storage/op-log.ts'

/** What admission asks of a log. */
export type LogView = Pick<OpLog, 'find' | 'maxClock'>

export interface Admission {
  /** To be committed, in this order. */
  readonly accepted: TreeOperation[]
  /** How many are in the log already, or came earlier in the batch, as they are. */
  readonly duplicates: number
  /** By index, ascending. */
  readonly rejected: RejectedOp[]
}

/** Decides about each operation of a batch (SPEC.md, PU3 to PU6). Each of them is well-formed on its own. */
export function admit(ops: readonly TreeOperation[], log: LogView): Admission {
  const staged = createStage(log)
  const accepted: TreeOperation[] = []
  const rejected: RejectedOp[] = []
  let duplicates = 0
  for (const [index, op] of ops.entries()) {
    const highest = staged.maxClock(op.treeId)
    // Above the highest nothing can have its id: what is new costs no look-up.
    const known = op.clock > highest ? undefined : staged.find(op)
    if (known !== undefined) {
      if (isSameOperation(known, op)) duplicates++
      else {
        const message = `operation ${op.clock}@${op.peerId} is in the log with another content`
        rejected.push({ index, code: 'op_conflict', message })
      }
    } else if (op.clock > highest + limits.clockWindow) {
      const message = `clock ${op.clock} is more than ${limits.clockWindow} above the tree's highest, ${highest}`
      rejected.push({ index, code: 'clock_out_of_range', message })
    } else {
      staged.add(op)
      accepted.push(op)
    }
  }
  return { accepted, duplicates, rejected }
}

export interface Stage extends LogView {
  add(op: TreeOperation): void
}

/** A log as it will be once the operations added here are committed. */
export function createStage(log: LogView): Stage {
  // By tree, then clock: a number is a cheaper key than the text of an id.
  const trees = new Map<TreeId, Map<number, TreeOperation[]>>()
  const clocks = new Map<TreeId, number>()

  function maxClock(treeId: TreeId): number {
    let highest = clocks.get(treeId)
    if (highest === undefined) {
      highest = log.maxClock(treeId)
      clocks.set(treeId, highest)
    }
    return highest
  }

  return {
    maxClock,
    find: (id: OpId) => {
      const staged = trees.get(id.treeId)?.get(id.clock)
      return staged?.find((op) => op.peerId === id.peerId) ?? log.find(id)
    },
    add: (op) => {
      if (op.clock > maxClock(op.treeId)) clocks.set(op.treeId, op.clock)
      let tree = trees.get(op.treeId)
      if (tree === undefined) trees.set(op.treeId, (tree = new Map()))
      const sameClock = tree.get(op.clock)
      if (sameClock === undefined) tree.set(op.clock, [op])
      else sameClock.push(op)
    },
  }
}

function isSameOperation(a: TreeOperation, b: TreeOperation): boolean {
  if (a.targetId !== b.targetId || a.parentId !== b.parentId || a.key !== b.key) return false
  return a.value === b.value || JSON.stringify(a.value) === JSON.stringify(b.value)
}
