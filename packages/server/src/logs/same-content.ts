import type { TreeOperation } from '@t69/protocol'

/**
 * Whether two operations with the same id say the same, as `OpLog.compare` means it. Values are equal when their
 * JSON text is; `textOf` makes it, for a caller that asks about the same operation often.
 */
export function hasSameContent(known: TreeOperation, op: TreeOperation, textOf = textOfValue): boolean {
  if (known.targetId !== op.targetId || known.parentId !== op.parentId || known.key !== op.key) return false
  if (known.value === op.value) return true
  if (typeof known.value !== 'object' || typeof op.value !== 'object') return false
  return textOf(known) === textOfValue(op)
}

function textOfValue(op: TreeOperation): string | undefined {
  return JSON.stringify(op.value)
}
