import type { Space } from '@t69/sync-client'

import type { Author } from '../model/authorship.ts'
import {
  addVersion,
  showToAll,
  threadOf,
  withoutStrangeWords,
  type Message,
  type NewMessage,
  type ThreadEntry,
} from '../model/chat-tree.ts'
import { deletedMessagesOf, deleteMessage, restoreMessage } from '../model/deleted-messages.ts'
import type { DeletedMessage } from '../model/deleted-messages.ts'
import type { Deleter } from '../model/deletions.ts'
import { wasListed } from '../model/space-tree.ts'
import type { Tree } from '../model/tree.ts'
import type { ActivityNotes } from './activity-notes.ts'
import type { Authors } from './authors.ts'
import type { ChosenVersions } from './chosen-versions.svelte.ts'
import { newChatDraft } from './device-storage.ts'
import { Draft } from './draft.svelte.ts'
import { Edits } from './edits.svelte.ts'
import type { Action, History } from './history.ts'
import type { OpeningNote } from './opening-note.ts'
import type { Unread } from './unread.svelte.ts'

/** What a chat uses of its space. */
export interface ChatDeps {
  readonly space: Space
  /** The space's own tree. */
  readonly root: () => Tree
  readonly history: History
  readonly authors: Authors
  readonly unread: Unread
  readonly chosen: ChosenVersions
  readonly activity: ActivityNotes
  readonly note: OpeningNote
}

/** What a chat has that was created on this page: its tree, and what was written before there was one. */
export interface NewChat {
  readonly created: Tree
  readonly begun: Draft | undefined
}

/** A chat that a pane shows: its tree, what is new in it, and what is being written. */
export class OpenChat {
  readonly treeId: string
  /** Null until it is loaded from the disk. */
  tree = $state.raw<Tree | null>(null)
  /** The first message that was new when the chat came to the screen, or came back; null for none. */
  firstUnread = $state<string | null>(null)
  /** The message that was asked for, until the list has shown it. */
  wantedMessage = $state<string | null>(null)
  /** The folder that it is for, while it is new and empty: the sidebar shows no empty chats. Null folders are the top. */
  newIn = $state.raw<{ readonly folderId: string | null } | null>(null)
  /** What was begun in an empty chat is there in the next one. */
  readonly draft: Draft
  readonly edits: Edits
  /** Resolves once the tree is loaded. */
  readonly opened: Promise<void>
  readonly #deps: ChatDeps
  #isClosed = false

  /** Loads its tree once `after` has settled, unless it is new. */
  constructor(deps: ChatDeps, treeId: string, after: Promise<void>, fresh?: NewChat) {
    this.treeId = treeId
    this.#deps = deps
    const draftId = (): string => (wasListed(deps.root(), treeId) ? treeId : newChatDraft)
    this.draft = fresh?.begun ?? new Draft(deps.space.id, draftId)
    this.draft.become(draftId)
    this.edits = new Edits(deps.space.id, treeId)
    if (fresh !== undefined) {
      deps.history.owns(fresh.created)
      this.tree = fresh.created
      this.newIn = { folderId: null }
    }
    this.opened = fresh === undefined ? this.#load(after) : Promise.resolve()
  }

  async #load(after: Promise<void>): Promise<void> {
    const { space, unread, history, note } = this.#deps
    await after.catch(() => {})
    if (this.#isClosed) return
    const loaded = note.begin({ spaceId: space.id, treeId: this.treeId })
    try {
      const [tree] = await Promise.all([space.openTree(this.treeId), this.edits.restore(), unread.ready])
      // Meanwhile another chat has taken its place.
      if (this.#isClosed) return await space.closeTree(this.treeId)
      history.owns(tree)
      this.firstUnread = unread.firstIn(this.treeId, tree)
      // In another task: of a chat of very many messages, what is new and what is shown each take a while to find.
      await new Promise((resolve) => setTimeout(resolve))
      if (this.#isClosed) return await space.closeTree(this.treeId)
      this.tree = tree
    } finally {
      loaded()
    }
  }

  /** Edits were discarded: another replica has replaced the one on screen. */
  async reload(): Promise<void> {
    const { space } = this.#deps
    if (this.tree === null || this.#isClosed) return
    const tree = await space.openTree(this.treeId)
    if (!this.#isClosed) this.tree = tree
    // The chat itself still has it open.
    await space.closeTree(this.treeId)
  }

  close(): void {
    this.#isClosed = true
    if (this.tree !== null) void this.#deps.space.closeTree(this.treeId)
  }

  get #loaded(): Tree {
    if (this.tree === null) throw new Error('The chat is not open yet')
    return this.tree
  }

  /**
   * Whether what is shown in place of a message's stored words comes from its author. Anybody who may edit can show some,
   * and they must not look like what somebody else wrote.
   */
  isShownBy(messageId: string, author: Author | null): boolean {
    return ['text', 'thinking'].every((key) => {
      const shown = this.#deps.space.transientBy({ treeId: this.treeId, vertexId: messageId, key })
      return shown === null || author === null || shown.user?.id === author.id
    })
  }

  /** A message without the words that another account than its author wrote into it. */
  wordsOf(messageId: string, message: Message, author: Author | null): Message {
    if (author === null) return message
    const { authors } = this.#deps
    authors.watch()
    return withoutStrangeWords(this.#loaded, messageId, message, (op) => {
      const found = authors.find(this.treeId, op)
      return found === null || found.userId === author.id
    })
  }

  /** Marks the first message that is new, as the chat comes back to the screen. */
  markNew(): void {
    this.firstUnread = this.#deps.unread.firstIn(this.treeId, this.#loaded)
  }

  /** Writes another version of a message and shows it to everyone. Returns its id. */
  editMessage(entry: ThreadEntry, message: NewMessage): string {
    const { history, chosen, activity } = this.#deps
    const tree = this.#loaded
    const thread = threadOf(tree, undefined, chosen.ids)
    const paged = thread.filter(({ versions }) => versions.length > 1).flatMap(({ versions }) => versions)
    const { result } = history.act(tree, 'Edit a message', [...entry.versions, ...paged], () => {
      const id = addVersion(tree, entry, message)
      showToAll(tree, thread, id)
      return id
    })
    chosen.forget(entry)
    activity.mentioned(this.treeId, message.mentions ?? [])
    activity.wrote(this.treeId)
    return result
  }

  /** Deletes a message with all its versions, on behalf of `by`. Returns what it did, to undo it. */
  deleteMessage({ versions }: ThreadEntry, by: Author | null): Action {
    const [tree, mark] = [this.#loaded, { by, at: Date.now() }]
    const { history } = this.#deps
    return history.act(tree, 'Delete a message', versions, () => deleteMessage(tree, versions, mark)).action
  }

  restoreMessage({ ids }: DeletedMessage): void {
    const tree = this.#loaded
    this.#deps.history.act(tree, 'Restore a message', ids, () => restoreMessage(tree, ids))
  }

  /** The deleted messages, each with who deleted it by the server's word, if that is known. */
  deletedMessages(): (DeletedMessage & { readonly by: Deleter })[] {
    const { authors } = this.#deps
    authors.watch()
    const tree = this.#loaded
    const madeBy = (op: Parameters<Authors['vouch']>[0]): string | null =>
      authors.find(this.treeId, op)?.userId ?? null
    return deletedMessagesOf(tree, madeBy).map((message) => {
      const op = tree.writerOf(message.ids[0] ?? '', 'deleted')
      const userId = op === undefined ? null : madeBy(op)
      return { ...message, by: userId === null ? message.mark.by : { userId } }
    })
  }
}
