import { type LogId, type SpaceId, SyncError, type TreeId } from '@t69/protocol'

import { type Budget, unlimitedBudget, costs } from '../limits/budget.ts'
import type { Storage } from '../storage/storage.ts'
import type { TreeQuestion } from '../storage/tree-reader.ts'

/** Answers questions about the trees of a space, and charges them to a budget. */
export interface TreeQuestions {
  /**
   * A tree as a replica of its log shows it, at a position (default: the head): the JSON text of a `TreeSnapshot`. Rejects
   * like a `TreeReader`, with `too_large` for a tree with too many operations, and with what `budget` throws.
   */
  readTree(tree: TreeOfSpace & { readonly cursor?: number | undefined }, budget?: Budget): Promise<string>
  /**
   * The digest of a tree at a position of the log, which the log must have reached. An empty tree has a digest too.
   * Rejects like `readTree`.
   */
  digestAt(tree: TreeOfSpace, position: TreePosition, budget?: Budget): Promise<string>
}

export interface TreeOfSpace {
  readonly spaceId: SpaceId
  readonly treeId: TreeId
}

export interface TreePosition {
  readonly logId: LogId
  readonly cursor: number
}

export interface TreeQuestionsOptions {
  /** Operations of a tree that may be read or compared. */
  readonly maxTreeOps?: number
  /** Bytes of values of a tree that may be read or compared. */
  readonly maxTreeBytes?: number
}

interface OpenSpaces extends TreeQuestionsOptions {
  readonly storage: Pick<Storage, 'countTree' | 'readTree'>
  /** Runs what reads an open space, and lets go of one whose storage fails. */
  readonly using: <Result>(spaceId: SpaceId, budget: Budget, run: () => Promise<Result>) => Promise<Result>
}

/** Refuses a tree that would take too long, or too much memory, before it is read. */
export function createTreeQuestions({
  storage,
  using,
  maxTreeOps = 200_000,
  maxTreeBytes: maxBytes = 64 * 1024 * 1024,
}: OpenSpaces): TreeQuestions {
  async function ask(question: TreeQuestion, budget: Budget): Promise<string> {
    const { spaceId, treeId } = question
    const { payer } = budget
    const text = await using(spaceId, budget, async () => {
      const ops = await budget.inTurn(async () => {
        budget.checkOperations()
        return storage.countTree({ spaceId, treeId, atMost: maxTreeOps + 1, payer })
      })
      if (ops > maxTreeOps) {
        throw new SyncError('too_large', `the tree has more than ${maxTreeOps} operations: read the log`)
      }
      // Others of this user's questions were charged meanwhile.
      budget.checkOperations()
      budget.spendOperations(ops)
      const { text, bytes } = await storage.readTree({ ...question, payer })
      budget.spendOperations(costs.operations(0, bytes + (text?.length ?? 0)))
      return text
    })
    if (text !== null) return text
    throw new SyncError('too_large', `the values of the tree take more than ${maxBytes} bytes: read the log`)
  }

  return {
    readTree: (tree, budget = unlimitedBudget) => ask({ kind: 'snapshot', ...tree, maxBytes }, budget),
    digestAt: (tree, position, budget = unlimitedBudget) =>
      ask({ kind: 'digest', ...tree, ...position, maxBytes }, budget),
  }
}
