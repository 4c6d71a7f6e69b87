import { createContext } from 'svelte'

import { errorText } from '../model/error-text.ts'

/** What lies over the page: one dialog and one notice at a time. */

/** What each dialog is opened with, by its kind. */
interface DialogFields {
  readonly auth: { readonly form: 'sign-in' | 'sign-up'; readonly why?: string }
  readonly password: object
  readonly 'delete-account': object
  readonly name: {
    readonly title: string
    readonly value: string
    readonly action: string
    readonly done: (name: string) => Promise<void> | void
  }
  readonly confirm: {
    readonly title: string
    readonly text: string
    readonly action: string
    readonly done: () => Promise<void> | void
  }
  readonly share: object
  readonly settings: object
  readonly sync: object
  readonly deleted: object
  readonly move: { readonly itemId: string }
}

export type DialogKind = keyof DialogFields

/** An open dialog: of one kind, or of any. */
export type Dialog<K extends DialogKind = DialogKind> = {
  [P in K]: { readonly kind: P } & DialogFields[P]
}[K]

/** What a dialog is about: one about the space closes when another space takes its place on screen. */
const dialogSubjects = {
  auth: 'account',
  password: 'account',
  'delete-account': 'account',
  name: 'space',
  confirm: 'space',
  share: 'space',
  settings: 'space',
  sync: 'space',
  deleted: 'space',
  move: 'space',
} satisfies Record<DialogKind, 'account' | 'space'>

export interface Notice {
  readonly kind: 'info' | 'error'
  readonly text: string
  readonly undo?: () => void
}

/** Where the notice is shown: on whatever is in front. */
export type NoticePlace = 'page' | 'drawer' | 'dialog'

/** How long a notice stays, in ms. */
const noticeMs = 5_000
/** The same for one with an undo, in ms: time to read what was deleted and to change one's mind. */
const undoMs = 12_000

export class Ui {
  dialog = $state.raw<Dialog | null>(null)
  notice = $state.raw<Notice | null>(null)
  drawerOpen = $state(false)
  readonly noticePlace = $derived<NoticePlace>(
    this.dialog === null ? (this.drawerOpen ? 'drawer' : 'page') : 'dialog',
  )
  #timer: ReturnType<typeof setTimeout> | undefined

  openDialog(dialog: Dialog): void {
    this.dialog = dialog
  }

  /** Closes the dialog. With `kind`, only one of that kind: by the end of a long task another may be open. */
  closeDialog(kind?: DialogKind): void {
    if (kind === undefined || this.dialog?.kind === kind) this.dialog = null
  }

  /** Closes a dialog about the space that leaves the screen: it would act on the next one. */
  leaveSpace(): void {
    if (this.dialog !== null && dialogSubjects[this.dialog.kind] === 'space') this.dialog = null
  }

  /** Shows a notice in place of the one before. An error stays until it is closed or replaced. */
  show(notice: Notice): void {
    clearTimeout(this.#timer)
    this.notice = notice
    if (notice.kind === 'error') return
    const shownMs = notice.undo === undefined ? noticeMs : undoMs
    this.#timer = setTimeout(() => this.hideNotice(), shownMs)
  }

  hideNotice(): void {
    clearTimeout(this.#timer)
    this.notice = null
  }

  /** Runs what the user asked for. Shows a failure as a notice, and resolves with undefined. */
  async attempt<T>(action: () => Promise<T> | T): Promise<T | undefined> {
    try {
      return await action()
    } catch (error) {
      this.show({ kind: 'error', text: errorText(error) })
      return undefined
    }
  }
}

/** The page's `Ui`, for components too deep in the page to be handed it. */
export const [useUi, provideUi] = createContext<Ui>()
