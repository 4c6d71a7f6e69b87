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
  return checkOperation(op).problem
}

export interface CheckedOperation {
  /** Why the operation cannot be in a batch; undefined if it can. */
  readonly problem: string | undefined
  /** Its value as `JSON.stringify` writes it; undefined for a move, for a removal, and where there is a problem. */
  readonly valueText: string | undefined
}

/** `operationProblem`, with the text that the check of the size needs, and that a batch takes as well. */
export function checkOperation(op: TreeOperation): CheckedOperation {
  const problem = fieldsProblem(op)
  if (problem !== undefined || isMove(op) || op.value === undefined) return { problem, valueText: undefined }
  const valueProblem = jsonValueProblem(op.value)
  if (valueProblem !== undefined) return { problem: `value: ${valueProblem}`, valueText: undefined }
  const valueText = JSON.stringify(op.value)
  const sizeProblem = jsonSizeProblem(valueText)
  return sizeProblem === undefined
    ? { problem: undefined, valueText }
    : { problem: `value: ${sizeProblem}`, valueText: undefined }
}

/** The ids of the last operation whose ids were valid: most operations have most of them from the one before. */
let valid: Readonly<Record<'peerId' | 'treeId' | 'spaceId' | 'targetId', string>> = {
  peerId: '0',
  treeId: '0',
  spaceId: '0'.repeat(32),
  targetId: '0',
}

/** `operationProblem` without the checks of the value. */
export function fieldsProblem(op: TreeOperation | null | undefined): string | undefined {
  if (op === null || op === undefined) return 'must be an object'
  const { clock } = op
  if (!Number.isSafeInteger(clock) || clock < 1) return 'clock: must be a safe integer, 1 or more'
  const problem =
    (op.peerId === valid.peerId ? undefined : named('peerId', idProblem(op.peerId))) ??
    (op.treeId === valid.treeId ? undefined : named('treeId', idProblem(op.treeId))) ??
    (op.spaceId === valid.spaceId ? undefined : named('spaceId', uuidLikeProblem(op.spaceId))) ??
    (op.targetId === valid.targetId ? undefined : named('targetId', idProblem(op.targetId)))
  if (problem !== undefined) return problem
  const { peerId, treeId, spaceId, targetId } = op
  valid = { peerId, treeId, spaceId, targetId }
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
