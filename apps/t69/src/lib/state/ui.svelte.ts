import { explain } from '../model/explain.ts'

/** What lies over the page: one dialog and one notice at a time. */

export type Dialog =
  | { readonly kind: 'auth'; readonly form: 'sign-in' | 'sign-up'; readonly why?: string }
  | { readonly kind: 'share' | 'settings' | 'sync' }
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

const noticeMs = 8000

export class Ui {
  dialog = $state.raw<Dialog | null>(null)
  notice = $state.raw<Notice | null>(null)
  drawerOpen = $state(false)
  #timer: ReturnType<typeof setTimeout> | undefined

  show(notice: Notice): void {
    clearTimeout(this.#timer)
    this.notice = notice
    this.#timer = setTimeout(() => {
      this.notice = null
    }, noticeMs)
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
      this.show({ kind: 'error', text: explain(error) })
      return undefined
    }
  }
}
