import { idProblem, uuidLikeProblem } from './ids.ts'
import { jsonSizeProblem, jsonValueProblem } from './json-value.ts'
import { isMove, keyProblem, moveProblem, type TreeOperation } from './operation.ts'

/**
 * Why `op` cannot be in a batch, or undefined if it can. Refuses exactly what `treeOperationSchema` refuses, several
 * times faster: every local edit and every operation of a batch is checked here. Problems that only a log can tell
 * (a taken id, a clock too far ahead) are found by the server.
 *
 *     operationProblem({ ...op, key: 'a@b' }) // 'key: must not contain "@"'
 */
export function operationProblem(op: TreeOperation): string | undefined {
  const problem = fieldsProblem(op)
  if (problem !== undefined || isMove(op) || op.value === undefined) return problem
  const valueProblem = jsonValueProblem(op.value) ?? jsonSizeProblem(JSON.stringify(op.value))
  return valueProblem === undefined ? undefined : `value: ${valueProblem}`
}

/** `operationProblem` without the checks of the value. */
export function fieldsProblem(op: TreeOperation): string | undefined {
  const { clock } = op
  if (!Number.isSafeInteger(clock) || clock < 1) return 'clock: must be a safe integer, 1 or more'
  const problem =
    named('peerId', idProblem(op.peerId)) ??
    named('treeId', idProblem(op.treeId)) ??
    named('spaceId', uuidLikeProblem(op.spaceId)) ??
    named('targetId', idProblem(op.targetId))
  if (problem !== undefined) return problem
  const fieldCount = Object.keys(op).length
  if (isMove(op)) {
    if (fieldCount !== 6)
      return 'a move has clock, peerId, treeId, spaceId, targetId, parentId and nothing else'
    const parent = op.parentId === null ? undefined : idProblem(op.parentId)
    return named('parentId', parent ?? moveProblem(op))
  }
  if (fieldCount !== ('value' in op ? 7 : 6)) {
    return 'a property has clock, peerId, treeId, spaceId, targetId, key, value (or none) and nothing else'
  }
  return named('key', keyProblem(op.key))
}

function named(field: string, problem: string | undefined): string | undefined {
  return problem === undefined ? undefined : `${field}: ${problem}`
}
