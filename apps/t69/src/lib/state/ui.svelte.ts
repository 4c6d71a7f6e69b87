import { startOfText } from '@t69/protocol'
import type { LostAccount } from '@t69/sync-client'
import { createContext } from 'svelte'

import type { ModelChoice } from '../model/assistants.ts'
import { errorText } from '../model/error-text.ts'
import type { Invitation } from './invitation.svelte.ts'
import { createLayers } from './layers.ts'
import { isNarrow } from './narrow.ts'
import { SidebarFrame } from './sidebar-frame.svelte.ts'

/** What lies over the page: one dialog and one notice at a time. */

/** What each dialog is opened with, by its kind. */
interface DialogFields {
  /** With `invitation`, signing up or in is a step on the way to joining, and leads back to the question. */
  readonly auth: {
    readonly form: 'sign-in' | 'sign-up'
    readonly invitation?: Invitation
    readonly why?: string
  }
  readonly invite: { readonly invitation: Invitation }
  readonly 'sign-out': { readonly everywhere: boolean }
  readonly devices: object
  /** `isConfirmed`: whoever has no password has just signed in to the provider again. */
  readonly password: { readonly isConfirmed?: boolean }
  readonly passkeys: { readonly isConfirmed?: boolean }
  /** With the token of a link that an operator has made. */
  readonly 'set-password': { readonly token: string }
  /** With what was entered as the address, and the form of sign-in that it leads back to. */
  readonly 'forgotten-password': { readonly email: string; readonly back: Dialog<'auth'> }
  /** Another address of the account. */
  readonly address: { readonly isConfirmed?: boolean }
  /** With the token of the link that was sent there. */
  readonly 'confirm-address': { readonly token: string }
  readonly 'delete-account': { readonly isConfirmed?: boolean }
  readonly 'lost-account': { readonly lost: LostAccount }
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
  /** With the id of a known provider, or of another one, ready to be set up. */
  readonly settings: { readonly provider?: string }
  readonly sync: object
  readonly 'other-space': object
  readonly deleted: object
  readonly move: { readonly itemIds: readonly string[]; readonly done: () => void }
  /** Which model: `done` is called with the one that is chosen. */
  readonly model: { readonly done: (choice: ModelChoice) => void }
  readonly assistants: object
  readonly 'copy-chat': { readonly treeId: string }
  readonly import: object
  /** Of a chat by its tree, else of the one on screen; or of the space. */
  readonly export: { readonly treeId?: string }
}

export type DialogKind = keyof DialogFields

/** An open dialog: of one kind, or of any. */
export type Dialog<K extends DialogKind = DialogKind> = {
  [P in K]: { readonly kind: P } & DialogFields[P]
}[K]

/** What a dialog is about: one about the space closes when another space takes its place on screen. */
const dialogSubjects = {
  auth: 'account',
  invite: 'account',
  'sign-out': 'account',
  devices: 'account',
  password: 'account',
  passkeys: 'account',
  'set-password': 'account',
  'forgotten-password': 'account',
  address: 'account',
  'confirm-address': 'account',
  'delete-account': 'account',
  'lost-account': 'account',
  name: 'space',
  confirm: 'space',
  share: 'space',
  settings: 'space',
  sync: 'space',
  'other-space': 'space',
  deleted: 'space',
  move: 'space',
  model: 'space',
  assistants: 'space',
  'copy-chat': 'space',
  import: 'account',
  export: 'space',
} satisfies Record<DialogKind, 'account' | 'space'>

export interface Notice {
  readonly kind: 'info' | 'error'
  readonly text: string
  readonly undo?: () => Promise<void> | void
}

/** Where the notice is shown: on whatever is in front. */
export type NoticePlace = 'page' | 'drawer' | 'dialog'

/** How long a notice stays, in ms. */
const noticeMs = 5_000
/** The same for one with an undo, in ms: time to read what was deleted and to change one's mind. */
const undoMs = 12_000

/** The length of a notice, in UTF-16 code units. It may quote what others wrote. */
const longestNotice = 600

export class Ui {
  dialog = $state.raw<Dialog | null>(null)
  notice = $state.raw<Notice | null>(null)
  drawerOpen = $state(false)
  readonly layers = createLayers()
  readonly sidebar = new SidebarFrame()
  /** The field that finds chats, messages, commands and spaces is open. */
  paletteOpen = $state(false)
  readonly noticePlace = $derived<NoticePlace>(
    this.dialog === null ? (this.drawerOpen ? 'drawer' : 'page') : 'dialog',
  )
  #timer: ReturnType<typeof setTimeout> | undefined

  openDialog(dialog: Dialog): void {
    this.dialog = dialog
  }

  /** Shows the sidebar: as a drawer in a narrow window, else beside the chat. */
  openSidebar(): void {
    if (isNarrow()) this.drawerOpen = true
    else this.sidebar.close(false)
  }

  /** Closes the sidebar, or opens it if it is closed. */
  toggleSidebar(): void {
    if (isNarrow()) this.drawerOpen = !this.drawerOpen
    else this.sidebar.close(!this.sidebar.isClosed)
  }

  /** Closes the dialog. With `kind`, only one of that kind: by the end of a long task another may be open. */
  closeDialog(kind?: DialogKind): void {
    if (kind !== undefined && this.dialog?.kind !== kind) return
    const invitation = this.dialog?.kind === 'auth' ? this.dialog.invitation : undefined
    this.dialog = invitation === undefined ? null : { kind: 'invite', invitation }
  }

  /** Opens the search. Over a dialog, which has to be answered first, it does not open. */
  openPalette(): void {
    this.paletteOpen = this.dialog === null
    if (this.paletteOpen) this.drawerOpen = false
  }

  /** The same, or closes it. */
  togglePalette(): void {
    if (this.paletteOpen) this.paletteOpen = false
    else this.openPalette()
  }

  /**
   * Closes a dialog about the space that leaves the screen, which would act on the next one, and a notice with an undo, which
   * would do nothing there.
   */
  leaveSpace(): void {
    if (this.dialog !== null && dialogSubjects[this.dialog.kind] === 'space') this.dialog = null
    if (this.notice?.undo !== undefined) this.hideNotice()
  }

  /** Takes away what lies over the page and was the user's before. */
  leaveAccount(): void {
    // A link to set a password may be for somebody else, who is signed in next.
    if (this.dialog?.kind !== 'auth' && this.dialog?.kind !== 'set-password') this.dialog = null
    this.paletteOpen = false
    this.hideNotice()
  }

  /** Shows a notice in place of the one before. An error stays until it is closed or replaced. */
  show(notice: Notice): void {
    clearTimeout(this.#timer)
    this.notice = { ...notice, text: startOfText(notice.text, longestNotice) }
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
