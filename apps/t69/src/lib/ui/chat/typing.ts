/** How long somebody counts as typing after their last key, in ms. */
const pauseMs = 5_000

/** Tells when somebody begins to type, and when they stop, which they do by themselves after a pause. */
export interface Typing {
  /** They changed a text. An empty one means that they have stopped. */
  changed(text: string): void
  stop(): void
}

/** `tell` is called with each change, not with each key. */
export function createTyping(tell: (isTyping: boolean) => void): Typing {
  let timer: ReturnType<typeof setTimeout> | undefined

  function stop(): void {
    if (timer === undefined) return
    clearTimeout(timer)
    timer = undefined
    tell(false)
  }

  return {
    changed(text) {
      if (text.trim() === '') return stop()
      const isNew = timer === undefined
      clearTimeout(timer)
      timer = setTimeout(stop, pauseMs)
      if (isNew) tell(true)
    },
    stop,
  }
}
