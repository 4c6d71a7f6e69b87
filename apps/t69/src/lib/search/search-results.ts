/** What the page and the worker tell each other, and what is found. */

export interface ChatHit {
  readonly spaceId: string
  readonly treeId: string
  readonly title: string
  /** Where the title fits: pairs of a start and an end. */
  readonly marks: readonly (readonly [number, number])[]
}

export interface MessageHit {
  readonly spaceId: string
  readonly treeId: string
  readonly messageId: string
  /** Of its chat. */
  readonly title: string
  /** The text around what was found. */
  readonly excerpt: string
  readonly marks: readonly (readonly [number, number])[]
  /** When it was written, in Unix ms; 0 when that is not known. */
  readonly at: number
}

export interface SearchResults {
  readonly chats: readonly ChatHit[]
  readonly messages: readonly MessageHit[]
}

/** How far the worker has read what changed: so many of so many chats. */
export interface Progress {
  readonly done: number
  readonly total: number
}

export type ToWorker =
  /** The ids of all spaces that may be searched: what is kept of any other is deleted. Reads what has changed in these. */
  | { readonly kind: 'look'; readonly id: number; readonly spaceIds: readonly string[] }
  | { readonly kind: 'find'; readonly id: number; readonly query: string }

export type FromWorker =
  | { readonly kind: 'progress'; readonly progress: Progress }
  /** Everything that was stored when `look` of this id came can be found. */
  | { readonly kind: 'looked'; readonly id: number }
  | { readonly kind: 'found'; readonly id: number; readonly results: SearchResults }
  /** The browser does not let the worker store or read anything. */
  | { readonly kind: 'failed'; readonly why: string }
