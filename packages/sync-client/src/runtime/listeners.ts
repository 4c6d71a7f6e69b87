export interface Listeners<T> {
  add(listener: (value: T) => void): () => void
  emit(value: T): void
  clear(): void
}

/** Whom to call when something happens. One listener's error reaches neither the others nor the caller. */
export function createListeners<T>(): Listeners<T> {
  const listeners = new Set<{ call: (value: T) => void }>()
  return {
    add(call) {
      const entry = { call }
      listeners.add(entry)
      return () => void listeners.delete(entry)
    },
    emit(value) {
      // A copy: who is added while others are called hears of the next one.
      for (const { call } of Array.from(listeners)) contain(() => call(value))
    },
    clear: () => listeners.clear(),
  }
}

/** Runs an app's code; what it throws surfaces as an uncaught error, after ours is done. */
export function contain(call: () => void): void {
  try {
    call()
  } catch (error) {
    reportLater(error)
  }
}

function reportLater(error: unknown): void {
  if (typeof reportError === 'function') reportError(error)
  else
    queueMicrotask(() => {
      throw error
    })
}
