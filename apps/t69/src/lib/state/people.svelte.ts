import type { Space } from '@t69/sync-client'

import { readPeople, savePeople } from './device-storage.ts'

interface Person {
  readonly id: string
  readonly name: string
}

/**
 * The names of the accounts that wrote in a space: its members as the server lists them, and those who have left, as this
 * device knew them.
 */
export class People {
  readonly #space: Space
  /** The members, the user included, as the server listed them last; empty before that. */
  members = $state.raw<readonly Person[]>([])
  #names = $state.raw<ReadonlyMap<string, string>>(new Map())
  /** Accounts that are not among the members, and were not known before. */
  #strangers = $state.raw<ReadonlySet<string>>(new Set())
  /** Accounts whose names were asked for and are not known. */
  readonly #wanted = new Set<string>()
  #isListing = false
  readonly #restored: Promise<void>

  constructor(space: Space) {
    this.#space = space
    this.#restored = this.#restore()
  }

  /** Who can be mentioned: the members; while the server has not listed them, as without a network, those whom this device knows. */
  get mentionable(): readonly Person[] {
    if (this.members.length > 0) return this.members
    return Array.from(this.#names, ([id, name]) => ({ id, name }))
  }

  /** The name of an account. One that is not known is asked for. */
  nameOf(userId: string): string {
    const name = this.#names.get(userId)
    if (name !== undefined) return name
    if (this.#strangers.has(userId)) return 'A former member'
    if (!this.#wanted.has(userId)) {
      this.#wanted.add(userId)
      queueMicrotask(() => void this.list())
    }
    return 'Someone'
  }

  /** The same once it is known, if the server can be asked. */
  async askName(userId: string): Promise<string> {
    if (!this.#names.has(userId) && !this.#strangers.has(userId)) {
      this.#wanted.add(userId)
      await this.list()
    }
    return this.nameOf(userId)
  }

  know(people: readonly Person[]): void {
    const fresh = people.filter(({ id, name }) => this.#names.get(id) !== name)
    if (fresh.length === 0) return
    this.#names = new Map([...this.#names, ...fresh.map(({ id, name }) => [id, name] as const)])
    void this.#save()
  }

  async #restore(): Promise<void> {
    const known = await readPeople(this.#space.id)
    // What was learned meanwhile is newer.
    this.#names = new Map([...known, ...this.#names])
  }

  async #save(): Promise<void> {
    await this.#restored
    await savePeople(this.#space.id, this.#names)
  }

  /** Asks the server who the members are, if it can be asked now. */
  async list(): Promise<void> {
    if (this.#isListing || this.#space.status.phase !== 'live') return
    this.#isListing = true
    const wanted = [...this.#wanted]
    try {
      const members = await this.#space.members()
      this.know(members.map(({ user }) => user))
      this.members = members.map(({ user: { id, name } }) => ({ id, name }))
      for (const id of wanted) this.#wanted.delete(id)
      this.#strangers = new Set([...this.#strangers, ...wanted].filter((id) => !this.#names.has(id)))
    } catch {
      // It is asked again when the space is live again.
      return
    } finally {
      this.#isListing = false
    }
    // Somebody who wrote while the list was under way.
    if (this.#wanted.size > 0) await this.list()
  }
}
