import { createContext } from 'svelte'

import { errorText } from '../model/error-text.ts'

/** What lies over the page: one dialog and one notice at a time. */

export type Dialog =
  | { readonly kind: 'auth'; readonly form: 'sign-in' | 'sign-up'; readonly why?: string }
  | { readonly kind: 'share' | 'settings' | 'sync' | 'deleted' | 'password' | 'delete-account' }
  | {
      readonly kind: 'name'
      readonly title: string
      readonly value: string
      readonly action: string
      readonly done: (name: string) => Promise<void> | void
    }
  | {
      readonly kind: 'confirm'
      readonly title: string
      readonly text: string
      readonly action: string
      readonly done: () => Promise<void> | void
    }
  | { readonly kind: 'move'; readonly itemId: string }

export interface Notice {
  readonly kind: 'info' | 'error'
  readonly text: string
  readonly undo?: () => void
}

const ofAccount: ReadonlySet<Dialog['kind']> = new Set(['auth', 'password', 'delete-account'])

/** Where a notice shows: with what somebody looks at. */
export type NoticePlace = 'page' | 'drawer' | 'dialog'

const noticeMs = 5_000
/** Long enough to read what was deleted, and to change one's mind. */
const undoMs = 12_000

export class Ui {
  dialog = $state.raw<Dialog | null>(null)
  notice = $state.raw<Notice | null>(null)
  drawerOpen = $state(false)
  readonly noticePlace = $derived<NoticePlace>(
    this.dialog === null ? (this.drawerOpen ? 'drawer' : 'page') : 'dialog',
  )
  #timer: ReturnType<typeof setTimeout> | undefined

  /** For what takes its time: by then somebody may look at another dialog, which stays. */
  closeDialog(kind: Dialog['kind']): void {
    if (this.dialog?.kind === kind) this.dialog = null
  }

  /** A dialog about the space before, which another one has taken the place of, would act on this one. */
  leaveSpace(): void {
    if (this.dialog !== null && !ofAccount.has(this.dialog.kind)) this.dialog = null
  }

  /** An error stays until it is closed or something else is to be said. */
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

  /** Runs what someone asked for; a failure is said, and undefined returned. */
  async attempt<T>(action: () => Promise<T> | T): Promise<T | undefined> {
    try {
      return await action()
    } catch (error) {
      this.show({ kind: 'error', text: errorText(error) })
      return undefined
    }
  }
}

/** The page's `Ui`, for what is too far down to be handed it. */
export const [useUi, provideUi] = createContext<Ui>()
