/**
 * Whether the browser may delete what this device holds when its disk runs full. Browsers do so unless they are asked
 * not to. Some of them ask the user in turn, so the question waits until there is something to lose.
 */
export class Eviction {
  /** What the browser says; null until it has answered. */
  isAllowed = $state<boolean | null>(null)
  #isAsked = false

  /** Asks the browser not to delete anything, once in a visit. */
  async refuse(storage: StorageManager | undefined = navigator.storage): Promise<void> {
    if (this.#isAsked) return
    this.#isAsked = true
    // Over plain HTTP, and where site data is refused, there is no such promise.
    const isKept = async (): Promise<boolean> =>
      storage !== undefined && ((await storage.persisted()) || (await storage.persist()))
    this.isAllowed = !(await isKept().catch(() => false))
  }
}
