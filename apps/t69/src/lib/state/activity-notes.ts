import { noteActivity } from '../model/activity.ts'
import { noteMentions } from '../model/mentions.ts'
import type { ChatPeople } from '../model/presence.ts'
import { itemOfTree } from '../model/space-tree.ts'
import type { Tree } from '../model/tree.ts'

/** What the sidebar of a space says of the chats in which somebody at this device writes. */
export class ActivityNotes {
  readonly #tree: () => Tree
  readonly #canEdit: () => boolean
  /** The timers of activities that are noted later, by the ids of the chats' trees. */
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>()
  /** The chats that somebody has left since their activity was noted here. */
  readonly #left = new Set<string>()

  constructor(tree: () => Tree, canEdit: () => boolean) {
    this.#tree = tree
    this.#canEdit = canEdit
  }

  /** Somebody at this device has written in a chat: moves it to the top of the sidebar, and makes it new for others. */
  wrote(treeId: string): void {
    clearTimeout(this.#timers.get(treeId))
    this.#timers.delete(treeId)
    const item = itemOfTree(this.#tree(), treeId)
    if (item === undefined || !this.#canEdit()) return
    const waitMs = noteActivity(this.#tree(), item, Date.now(), this.#left.delete(treeId))
    if (waitMs > 0)
      this.#timers.set(
        treeId,
        setTimeout(() => this.wrote(treeId), waitMs),
      )
  }

  mentioned(treeId: string, userIds: readonly string[]): void {
    const item = itemOfTree(this.#tree(), treeId)
    if (item && this.#canEdit()) noteMentions(this.#tree(), item, userIds, Date.now())
  }

  /** Who is where has changed. Those who have left a chat learn at once of what is written there next. */
  moved(before: ReadonlyMap<string, ChatPeople>, now: ReadonlyMap<string, ChatPeople>): void {
    for (const [treeId, { here }] of before)
      if (here.length > (now.get(treeId)?.here.length ?? 0)) this.#left.add(treeId)
  }

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer)
  }
}
