export interface Progress {
  readonly done: number
  readonly of: number
}

/** An export or an import that is under way: how far it is, and a way to end it. */
export class Transfer {
  /** Null while none is under way. */
  progress = $state.raw<Progress | null>(null)
  #aborting: AbortController | undefined

  /** Resolves with undefined when it was cancelled. */
  async run<T>(
    work: (onProgress: (progress: Progress) => void, signal: AbortSignal) => Promise<T>,
  ): Promise<T | undefined> {
    const aborting = new AbortController()
    this.#aborting = aborting
    this.progress = { done: 0, of: 0 }
    try {
      return await work((progress) => {
        if (!aborting.signal.aborted) this.progress = progress
      }, aborting.signal)
    } catch (error) {
      if (aborting.signal.aborted) return undefined
      throw error
    } finally {
      if (this.#aborting === aborting) this.progress = null
    }
  }

  cancel(): void {
    this.#aborting?.abort()
  }
}
