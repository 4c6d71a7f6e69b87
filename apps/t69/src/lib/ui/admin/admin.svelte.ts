import { type AdminApi, type AdminPage, createAdminApi } from '@t69/sync-client/admin'

import { reasonOf } from '../../model/error-text.ts'
import { refusalText } from '../../model/refusal-text.ts'
import type { AppState } from '../../state/app-state.svelte.ts'
import type { Confirmation } from '../parts/confirming/confirmation.svelte.ts'

/** What the sections of the admin page share. */
export class Admin {
  readonly app: AppState
  readonly api: AdminApi
  /** The user is no admin, or is one no more: the page shows nothing then. Null until the server has said it. */
  isDenied = $state<boolean | null>(null)

  constructor(app: AppState) {
    this.app = app
    this.api = createAdminApi(app.client)
  }

  /** Why something could not be done. Looks whether the user is still an admin, where that may be the reason. */
  problemOf(error: unknown, confirmation?: Pick<Confirmation, 'problemOf'>): string {
    if (reasonOf(error) === 'not_admin') void this.look()
    const here = {
      // It is not the admin's own account.
      last_owner:
        'This account is the last owner of a space where others are too. Have somebody else made an owner, or delete the space, first.',
    }
    return confirmation?.problemOf(error, here) ?? refusalText(error, here)
  }

  /** Asks whether the user is an admin at this moment. */
  async look(): Promise<void> {
    const isKnown = await this.app.askWhetherAdmin()
    // Without an answer, the sections say why there is none.
    this.isDenied = isKnown && !this.app.isAdmin
  }
}

/** Something that a section shows, read from the server. */
export class Loaded<Value> {
  value = $state.raw<Value | null>(null)
  /** Why it could not be read; empty while there is nothing to say. */
  problem = $state('')
  readonly #admin: Admin
  readonly #read: () => Promise<Value>
  #turn = 0

  constructor(admin: Admin, read: () => Promise<Value>) {
    this.#admin = admin
    this.#read = read
  }

  async load(): Promise<void> {
    const turn = ++this.#turn
    try {
      const value = await this.#read()
      if (turn !== this.#turn) return
      this.value = value
      this.problem = ''
    } catch (error) {
      if (turn === this.#turn) this.problem = this.#admin.problemOf(error)
    }
  }
}

/** A list of which the newest entries are on the screen, and more on demand. */
export class List<Entry> {
  entries = $state.raw<readonly Entry[]>([])
  /** Not null once the first page is there: whether more may follow. */
  hasMore = $state<boolean | null>(null)
  busy = $state(false)
  problem = $state('')
  readonly #admin: Admin
  readonly #read: (after: number | undefined) => Promise<AdminPage<Entry>>
  #next: number | undefined
  #turn = 0

  constructor(admin: Admin, read: (after: number | undefined) => Promise<AdminPage<Entry>>) {
    this.#admin = admin
    this.#read = read
  }

  /** Reads the first page. What is on the screen stays until it is there. */
  load(): Promise<void> {
    return this.#page(undefined, [])
  }

  more(): Promise<void> {
    return this.#page(this.#next, this.entries)
  }

  async #page(from: number | undefined, before: readonly Entry[]): Promise<void> {
    const turn = ++this.#turn
    this.busy = true
    try {
      let after = from
      let page: AdminPage<Entry>
      // The server looks through a bounded number of rows at a time.
      do {
        page = await this.#read(after)
        if (turn !== this.#turn) return
        after = page.next
      } while (page.entries.length === 0 && after !== undefined)
      this.entries = [...before, ...page.entries]
      this.#next = after
      this.hasMore = after !== undefined
      this.problem = ''
    } catch (error) {
      if (turn === this.#turn) this.problem = this.#admin.problemOf(error)
    } finally {
      if (turn === this.#turn) this.busy = false
    }
  }
}
