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
      for (const { call } of Array.from(listeners)) {
        try {
          call(value)
        } catch (error) {
          reportListenerError(error)
        }
      }
    },
    clear: () => listeners.clear(),
  }
}

/** Reports an error as uncaught if the platform can do so without ending the program. Otherwise logs it. */
function reportListenerError(error: unknown): void {
  if (typeof reportError === 'function') reportError(error)
  else console.error(error)
}
