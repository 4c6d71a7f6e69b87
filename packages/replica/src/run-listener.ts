/** Calls a listener, and hands the error that it throws to `onError`: a broken listener does not stop the others. */
export function runListener(listener: () => void, onError: (error: unknown) => void): void {
  try {
    listener()
  } catch (error) {
    try {
      onError(error)
    } catch (another) {
      reportListenerError(another)
    }
  }
}

/** Reports an error as uncaught if the platform can do so without ending the program. Otherwise logs it. */
export function reportListenerError(error: unknown): void {
  const report: unknown = Reflect.get(globalThis, 'reportError')
  if (typeof report === 'function') Reflect.apply(report, globalThis, [error])
  else console.error(error)
}
