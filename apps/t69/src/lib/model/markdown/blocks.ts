/** What a message consists of once its Markdown is read. Plain data: the screen has a component for each kind. */

export type Inline =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'strong' | 'em' | 'del'; readonly children: readonly Inline[] }
  | { readonly kind: 'code'; readonly text: string }
  | { readonly kind: 'link'; readonly href: string; readonly children: readonly Inline[] }
  | { readonly kind: 'image'; readonly src: string; readonly alt: string }
  | { readonly kind: 'break' }
  | { readonly kind: 'math'; readonly tex: string; readonly isDisplayed: boolean }

export interface ListItem {
  /** Undefined where the item is not a task. */
  readonly isDone: boolean | undefined
  readonly blocks: readonly Block[]
}

/** The cells of a row. */
export type Row = readonly (readonly Inline[])[]

export type Alignment = 'start' | 'center' | 'end' | undefined

export type Block =
  | { readonly kind: 'paragraph'; readonly children: readonly Inline[] }
  | { readonly kind: 'heading'; readonly level: number; readonly children: readonly Inline[] }
  | { readonly kind: 'quote'; readonly blocks: readonly Block[] }
  | {
      readonly kind: 'list'
      readonly isOrdered: boolean
      readonly start: number
      readonly items: readonly ListItem[]
    }
  | { readonly kind: 'code'; readonly language: string; readonly text: string; readonly isOpen: boolean }
  | {
      readonly kind: 'table'
      readonly alignments: readonly Alignment[]
      readonly head: Row
      readonly rows: readonly Row[]
    }
  | { readonly kind: 'math'; readonly tex: string }
  | { readonly kind: 'rule' }
  /** Shown as it was typed, with its lines and spaces. */
  | { readonly kind: 'plain'; readonly children: readonly Inline[] }
