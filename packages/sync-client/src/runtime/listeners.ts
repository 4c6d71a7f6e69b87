export interface Listeners<T> {
  /** Returns a function that removes the listener. A function that was added twice is called twice. */
  add(listener: (value: T) => void): () => void
  emit(value: T): void
  clear(): void
}

/** A set of listeners. An error thrown by one of them reaches neither the others nor the caller of `emit`. */
export function createListeners<T>(): Listeners<T> {
  const listeners = new Set<{ call: (value: T) => void }>()
  return {
    add(call) {
      const entry = { call }
      listeners.add(entry)
      return () => void listeners.delete(entry)
    },
    emit(value) {
      // A copy, so that a listener added by a listener is first called for the next event.
      for (const { call } of Array.from(listeners)) contain(() => call(value))
    },
    clear: () => listeners.clear(),
  }
}

/** Calls the app's code. An error that it throws surfaces as an uncaught error, after our own code is done. */
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
