import type { ImportedVertex } from '@t69/sync-client'

import type { TransferProblem } from './transfer-error.ts'

/** Each request gets one answer, in order. Trees travel in parts, so that copying one holds up no frame. */
export const verticesPerPart = 1_000

export interface TreePart {
  /** Undefined for the tree of an imported space itself. */
  readonly id: string | undefined
  readonly vertices: readonly ImportedVertex[]
  readonly isLast: boolean
}

export type Request =
  | { readonly type: 'read'; readonly file: Blob; readonly name: string }
  /** The next part of the trees of a space that was read. */
  | { readonly type: 'next'; readonly space: number }
  | { readonly type: 'zip'; readonly name: string; readonly exportedAt: Date }
  | { readonly type: 'add'; readonly part: TreePart }
  | { readonly type: 'end' }

export interface Answers {
  readonly read: readonly { readonly name: string; readonly chats: number }[]
  /** Null after the last one. */
  readonly next: TreePart | null
  readonly zip: null
  readonly add: null
  readonly end: Blob
}

export type Answer =
  | { readonly ok: true; readonly value: Answers[keyof Answers] }
  | { readonly ok: false; readonly problem: TransferProblem; readonly file: string; readonly at: string }
  | { readonly ok: false; readonly message: string }
