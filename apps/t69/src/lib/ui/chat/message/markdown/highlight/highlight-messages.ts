import type { Grammar } from './languages.ts'

/** What the page and the thread that colours code tell each other. Cards are numbered by the page. */

/** Pieces of a line, each with its kind, such as `keyword`; empty for plain text. */
export type HighlightLine = readonly (readonly [text: string, kind: string])[]

export type HighlightRequest =
  /** Code that is still growing ends with a line break. */
  | { readonly card: number; readonly code: string; readonly grammar: Grammar; readonly isGrowing: boolean }
  /** The card has left the page. */
  | { readonly card: number; readonly code: null }

export type HighlightAnswer =
  /** What may take long begins. */
  | { readonly card: number; readonly kind: 'begun' }
  /** The lines from `from` on, in place of those that were there. */
  | {
      readonly card: number
      readonly kind: 'lines'
      readonly from: number
      readonly lines: readonly HighlightLine[]
    }
  | { readonly card: number; readonly kind: 'failed' }
