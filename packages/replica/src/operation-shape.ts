import { startOfText } from '@t69/protocol'
import type { MoveVertex, VertexOperation } from 'reptree'

/** Whether an operation is a move. If it is not, it is a property. */
export function isMoveOp(op: VertexOperation): op is MoveVertex {
  return 'parentId' in op && op.parentId !== undefined
}

/** Throws a `TypeError` that names the operation if a replica cannot hold it. */
export function checkShape(op: VertexOperation): void {
  const problem = shapeProblem(op)
  if (problem !== undefined) throw new TypeError(`Operation ${describe(op)}: ${problem}`)
}

function shapeProblem(op: unknown): string | undefined {
  if (typeof op !== 'object' || op === null) return 'not an object'
  const { id, targetId, parentId, key, value } = op as Record<string, unknown>
  if (typeof id !== 'object' || id === null) return 'no id'
  const { counter, peerId } = id as Record<string, unknown>
  if (!Number.isSafeInteger(counter) || Number(counter) < 1)
    return 'the counter is not a positive safe integer'
  if (typeof peerId !== 'string' || peerId === '') return 'the peer id is not text'
  if (typeof targetId !== 'string' || targetId === '') return 'the target id is not text'
  if (parentId !== undefined) {
    if (key !== undefined) return 'both a move and a property'
    return parentId === null || (typeof parentId === 'string' && parentId !== '')
      ? undefined
      : 'the parent id is not text'
  }
  if (typeof key !== 'string') return 'neither a move nor a property'
  return typeof value === 'function' || typeof value === 'symbol' || typeof value === 'bigint'
    ? `the value is a ${typeof value}`
    : undefined
}

function describe(op: unknown): string {
  try {
    return startOfText(JSON.stringify(op) ?? String(op), 200)
  } catch {
    return String(op)
  }
}
