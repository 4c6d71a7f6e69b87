import { SvelteMap } from 'svelte/reactivity'

import type { ThreadEntry } from '../model/chat-tree.ts'
import { listDrafts } from './device-storage.ts'
import { Draft } from './draft.svelte.ts'

/** The messages of a chat that are being edited. What is typed stays on this device until it is saved or given up. */
export class Edits {
  readonly #spaceId: string
  readonly #treeId: string
  readonly #drafts = new SvelteMap<string, Draft>()

  constructor(spaceId: string, treeId: string) {
    this.#spaceId = spaceId
    this.#treeId = treeId
  }

  /** Goes on with what was being edited when the chat was last open. */
  async restore(): Promise<void> {
    const start = this.#draftId('')
    for (const id of await listDrafts(this.#spaceId))
      if (id.startsWith(start)) this.#drafts.set(id.slice(start.length), new Draft(this.#spaceId, () => id))
  }

  /** Undefined while the message is not being edited. It still is when another version of it comes from elsewhere. */
  of(entry: ThreadEntry): Draft | undefined {
    return this.#drafts.get(this.#editedOf(entry))
  }

  /** Begins with `text`, or with what another tab has stored of such an edit. */
  begin({ id }: ThreadEntry, text: string): void {
    this.#drafts.set(id, new Draft(this.#spaceId, () => this.#draftId(id), text))
  }

  /** Goes on with an edit that was given up, unless another has begun meanwhile: what is typed there stays. */
  resume(entry: ThreadEntry, text: string): void {
    if (this.of(entry) !== undefined) return
    this.begin(entry, text)
    this.of(entry)?.typed()
  }

  /** What was typed is stored here no more. */
  end(entry: ThreadEntry): void {
    const id = this.#editedOf(entry)
    const draft = this.#drafts.get(id)
    this.#drafts.delete(id)
    draft?.take()
    void draft?.settle(null)
  }

  /** The id of the version that is being edited; if none is, of the one that is shown. */
  #editedOf({ id, versions }: ThreadEntry): string {
    return versions.find((version) => this.#drafts.has(version)) ?? id
  }

  #draftId(messageId: string): string {
    return `edit:${this.#treeId}:${messageId}`
  }
}
