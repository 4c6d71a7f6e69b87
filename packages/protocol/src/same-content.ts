import type { TreeOperation } from './operation.ts'

/**
 * Whether two operations with the same id have the same content (OP3). Objects and arrays are equal when their JSON
 * text is; `textOf` makes the text of `known`, for a caller that compares the same operation often.
 *
 *     hasSameContent(known, op) ? 'same' : 'other'
 */
export function hasSameContent(known: TreeOperation, op: TreeOperation, textOf = textOfValue): boolean {
  if (known.targetId !== op.targetId || known.parentId !== op.parentId || known.key !== op.key) return false
  if (Object.is(known.value, op.value)) return true
  if (typeof known.value !== 'object' || typeof op.value !== 'object') return false
  return textOf(known) === textOfValue(op)
}

function textOfValue(op: TreeOperation): string | undefined {
  return JSON.stringify(op.value)
}
