/** Calls a listener. What it throws goes to `onError` and nowhere else: one broken listener is not everyone's problem. */
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

/** As an uncaught error where the platform can report one without ending the program, else on the console. */
export function reportListenerError(error: unknown): void {
  const report: unknown = Reflect.get(globalThis, 'reportError')
  if (typeof report === 'function') Reflect.apply(report, globalThis, [error])
  else console.error(error)
}
