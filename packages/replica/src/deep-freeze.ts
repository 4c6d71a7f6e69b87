/**
 * Makes a JSON value read-only, in place and with everything in it. What is frozen already is not looked into: a value is
 * frozen whole where it enters a replica. Walks with an explicit stack, so that deep nesting does not overflow the calls.
 */
export function deepFreeze(value: unknown): void {
  if (!isMutable(value)) return
  const waiting = [value]
  for (let item = waiting.pop(); item !== undefined; item = waiting.pop()) {
    Object.freeze(item)
    const children: unknown[] = Array.isArray(item) ? item : Object.values(item)
    for (const child of children) if (isMutable(child)) waiting.push(child)
  }
}

/** Binary data, which is no JSON, cannot be frozen. */
function isMutable(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Object.isFrozen(value) && !ArrayBuffer.isView(value)
}
