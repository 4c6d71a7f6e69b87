import { type LogId, type SpaceId, SyncError, type TreeId } from '@t69/protocol'

import { type Budget, unlimitedBudget, costs } from '../limits/budget.ts'
import type { OpLog } from '../logs/op-log.ts'
import { readTree, type TreeQuestion, type TreeReader } from './tree-reader.ts'

/** Answers questions about the trees of a space, and charges them to a budget. */
export interface TreeQuestions {
  /**
   * A tree as a replica of its log shows it: the JSON text of a `TreeSnapshot`. Rejects like a `TreeReader`, with
   * `too_large` for a tree with too many operations, and with what `budget` throws.
   */
  readTree(tree: TreeOfSpace, budget?: Budget): Promise<string>
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
  /** Reads trees. Default: the event loop, which serves nobody meanwhile. */
  readonly trees?: TreeReader
  /** Operations of a tree that may be read or compared. */
  readonly maxTreeOps?: number
  /** Bytes of values of a tree that may be read or compared. */
  readonly maxTreeBytes?: number
}

/** Where the logs come from. */
interface Logs {
  open(spaceId: SpaceId, budget: Budget): OpLog
  /** Reading the space's log threw `error`. */
  failed(spaceId: SpaceId, error: unknown): void
}

/** Refuses a tree that would take too long, or too much memory, before it is read. */
export function createTreeQuestions(
  logs: Logs,
  { trees, maxTreeOps = 200_000, maxTreeBytes: maxBytes = 64 * 1024 * 1024 }: TreeQuestionsOptions,
): TreeQuestions {
  async function ask(question: TreeQuestion, budget: Budget): Promise<string> {
    const { spaceId, treeId } = question
    const log = logs.open(spaceId, budget)
    budget.checkOperations()
    try {
      const ops = log.countTree(treeId, maxTreeOps + 1)
      if (ops > maxTreeOps) {
        throw new SyncError('too_large', `the tree has more than ${maxTreeOps} operations: read the log`)
      }
      budget.spendOperations(ops)
      const { text, bytes } = trees === undefined ? readTree(log, question) : await trees(question)
      budget.spendOperations(costs.operations(0, bytes + (text?.length ?? 0)))
      if (text !== null) return text
    } catch (error) {
      logs.failed(spaceId, error)
      throw error
    }
    throw new SyncError('too_large', `the values of the tree take more than ${maxBytes} bytes: read the log`)
  }

  return {
    readTree: (tree, budget = unlimitedBudget) => ask({ kind: 'snapshot', ...tree, maxBytes }, budget),
    digestAt: (tree, position, budget = unlimitedBudget) =>
      ask({ kind: 'digest', ...tree, ...position, maxBytes }, budget),
  }
}
