import type { Space } from '@t69/sync-client'
import { createSubscriber } from 'svelte/reactivity'

import type { Author } from '../model/authorship.ts'
import { writingOf } from '../model/chat-tree.ts'
import type { Voucher } from '../model/deletions.ts'
import type { Tree } from '../model/tree.ts'
import type { People } from './people.svelte.ts'

/** Who wrote what in a space, by the server's word. */
export class Authors {
  /** Makes whatever calls it depend on who is known to have written what. */
  readonly watch: () => void
  /** The account that made an operation of the space's own tree; null while that is not known. */
  readonly vouch: Voucher
  readonly #space: Space
  readonly #people: People

  constructor(space: Space, people: People) {
    this.#space = space
    this.#people = people
    this.watch = createSubscriber((update) => space.onAuthors(update))
    this.vouch = (op) => this.find(space.id, op)
  }

  /** The account that made an operation of a tree; null while that is not known. */
  find(treeId: string, { counter, peerId }: Parameters<Voucher>[0]): ReturnType<Space['authorOf']> {
    return this.#space.authorOf({ treeId, clock: counter, peerId })
  }

  /** The account that wrote a message of a chat; null while that is not known. */
  ofMessage(treeId: string, tree: Tree, messageId: string): Author | null {
    this.watch()
    const op = writingOf(tree, messageId)
    const found = op && this.find(treeId, op)
    return found ? { id: found.userId, name: this.#people.nameOf(found.userId) } : null
  }
}
