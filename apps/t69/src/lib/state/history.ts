import type { Space } from '@t69/sync-client'

import type { Author } from '../model/authorship.ts'
import type { Tree } from '../model/tree.ts'
import { record, undoAction, type Change } from '../model/undo.ts'

/** Something that the user did in this tab, and what it was in words: `Move “Groceries”`. */
export interface Action {
  readonly what: string
  readonly changes: Change[]
}

/** How an attempt to undo or redo ended. */
export type Outcome =
  | { readonly kind: 'done'; readonly what: string }
  /** Somebody else has changed it since. `by` is the id of their account; null if that is not known. */
  | { readonly kind: 'changed'; readonly what: string; readonly by: string | null }

/** One action; or the last one that can be seen: in the sidebar or in the chat of a tree, null for none. */
type Wanted = { readonly action: Action } | { readonly in: string | null }

/** How many actions are kept. */
const most = 200

/** What the user did in a space in this tab, for undo and redo: the model of it is model/undo.ts. */
export class History {
  readonly #space: Space
  readonly #canMark: () => boolean
  readonly #done: Action[] = []
  readonly #undone: Action[] = []
  /** The peer ids of the trees that this page edited. */
  readonly #ownPeers = new Set<string>()
  #unsent: readonly Change[] = []
  /** Undoing opens trees, which takes a moment: one after another. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(space: Space, canMark: () => boolean) {
    this.#space = space
    this.#canMark = canMark
  }

  isOwn(peerId: string): boolean {
    return this.#ownPeers.has(peerId)
  }

  /** The changes of the space's own tree that the server has not committed yet. */
  get unsent(): readonly Change[] {
    return this.#unsent
  }

  #send(changes: readonly Change[]): void {
    const own = changes.filter(({ treeId }) => treeId === this.#space.id)
    if (own.length === 0) return
    this.#unsent = [...this.#unsent, ...own]
    const sent = (): void => {
      this.#unsent = this.#unsent.filter((change) => !own.includes(change))
    }
    // A local space sends nothing.
    this.#space.flushed().then(sent, sent)
  }

  /** What this page writes into a tree from now on counts as the user's own. */
  owns(tree: Tree): void {
    this.#ownPeers.add(tree.peerId)
  }

  /**
   * Makes an edit that can be undone. `vertexIds` are the vertices that it may change, apart from new ones. With `action`, it
   * becomes a part of that one.
   */
  act<T>(
    tree: Tree,
    what: string,
    vertexIds: readonly string[],
    change: () => T,
    action?: Action,
  ): { readonly result: T; readonly action: Action } {
    this.owns(tree)
    const { result, changes } = record(this.#space.treeIdOf(tree), tree, vertexIds, change)
    this.#send(changes)
    if (action !== undefined) {
      action.changes.push(...changes)
      return { result, action }
    }
    const made = { what, changes: [...changes] }
    if (changes.length > 0) {
      this.#keep(this.#done, made)
      this.#undone.length = 0
    }
    return { result, action: made }
  }

  /** Lets `work`, which adds to an action, end before anything is undone. */
  async hold(work: Promise<void>): Promise<void> {
    this.#turn = Promise.allSettled([this.#turn, work])
    await work
  }

  /** Undoes an action. Resolves with null if there is none. */
  undo(by: Author | null, wanted: Wanted): Promise<Outcome | null> {
    return this.#inTurn(this.#done, this.#undone, by, wanted)
  }

  redo(by: Author | null, wanted: Wanted): Promise<Outcome | null> {
    return this.#inTurn(this.#undone, this.#done, by, wanted)
  }

  #inTurn(from: Action[], to: Action[], by: Author | null, wanted: Wanted): Promise<Outcome | null> {
    const outcome = this.#turn.then(() => this.#take(from, to, by, wanted))
    this.#turn = outcome.catch(() => {})
    return outcome
  }

  /** An action that is refused is forgotten: those before it can still be undone. */
  async #take(from: Action[], to: Action[], by: Author | null, wanted: Wanted): Promise<Outcome | null> {
    const here = new Set([this.#space.id, 'in' in wanted ? wanted.in : null])
    const at =
      'action' in wanted
        ? from.indexOf(wanted.action)
        : from.findLastIndex(({ changes }) => changes.some(({ treeId }) => here.has(treeId)))
    const [action] = at < 0 ? [] : from.splice(at, 1)
    if (action === undefined) return null
    const { what, changes } = action
    const trees = new Map<string, Tree>()
    const opened: string[] = []
    try {
      for (const treeId of new Set(changes.map((change) => change.treeId))) {
        if (treeId === this.#space.id) trees.set(treeId, this.#space.root)
        else {
          trees.set(treeId, await this.#space.openTree(treeId))
          opened.push(treeId)
        }
      }
      const result = undoAction(changes, {
        treeOf: (treeId) => trees.get(treeId),
        isOwn: (peerId) => this.#ownPeers.has(peerId),
        mark: { at: Date.now(), by },
        canMark: this.#canMark(),
      })
      if ('undone' in result) {
        for (const tree of trees.values()) this.owns(tree)
        this.#send(result.undone)
        this.#keep(to, { what, changes: [...result.undone] })
        return { kind: 'done', what }
      }
      const op = result.refused.by
      const author = op && this.#space.authorOf({ treeId: op.treeId, clock: op.counter, peerId: op.peerId })
      return { kind: 'changed', what, by: author?.userId ?? null }
    } finally {
      for (const treeId of opened) await this.#space.closeTree(treeId)
    }
  }

  #keep(list: Action[], action: Action): void {
    list.push(action)
    if (list.length > most) list.shift()
  }
}
