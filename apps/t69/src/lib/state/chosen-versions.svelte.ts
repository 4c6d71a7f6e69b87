import type { Chosen, ThreadEntry } from '../model/chat-tree.ts'
import { readChosen, saveChosen } from './device-storage.ts'

/** How many choices are kept for a space. The oldest go first: that reader sees what everyone else does. */
const mostKept = 2_000

/** Which versions of messages the reader has chosen to see, on this device. Others see what they chose themselves. */
export class ChosenVersions {
  /** The chosen versions of all chats of the space, by their ids, which are unique; the latest choice last. */
  ids = $state.raw<Chosen>(new Set())
  readonly #spaceId: string

  constructor(spaceId: string) {
    this.#spaceId = spaceId
  }

  async restore(): Promise<void> {
    const stored = await readChosen(this.#spaceId)
    // What was chosen meanwhile is newer.
    this.ids = new Set([...stored, ...this.ids])
  }

  /** Shows a version to this reader in place of the others. */
  choose(entry: ThreadEntry, id: string): void {
    this.#keep(entry, [id])
  }

  /** Shows what everyone sees: somebody wrote a new version. */
  forget(entry: ThreadEntry): void {
    if (entry.versions.some((id) => this.ids.has(id))) this.#keep(entry, [])
  }

  #keep({ versions }: ThreadEntry, chosen: readonly string[]): void {
    const others = Array.from(this.ids).filter((id) => !versions.includes(id))
    this.ids = new Set([...others, ...chosen].slice(-mostKept))
    void saveChosen(this.#spaceId, [...this.ids])
  }
}
