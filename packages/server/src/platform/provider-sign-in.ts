import {
  randomHexId,
  registerBodySchema,
  SyncError,
  type User,
  userIdSchema,
  type UserId,
} from '@t69/protocol'
import type { Database } from 'better-sqlite3'

import type { ProviderPerson } from '../ports/sign-in-provider.ts'
import type { Identities } from './identities.ts'
import type { ProvenAddresses } from './proven-addresses.ts'
import type { Registration, Ticket } from './registration.ts'
import type { ReturningAccounts } from './returning-accounts.ts'
import type { Users } from './users.ts'

/** Which account somebody enters whom a provider vouches for (docs/decisions/0076). Each call is one transaction. */
export interface ProviderSignIn {
  /** Whether `enter` would make an account, where that is allowed. */
  isNew(person: ProviderPerson): boolean
  /**
   * The account that the person is connected with; or else the one with their address, if both the provider and this server know
   * that it is theirs; or else a new one. Throws `forbidden` without a verified address, and like `Registration.check`;
   * `already_exists` for an account with the address that nobody has shown to be theirs, that another person of the provider has, or
   * whose owner has ended the connection.
   */
  enter(person: ProviderPerson, entry: Entry, now: number): Entered
  /**
   * Connects the person with an account whose owner has shown that they are it. Throws `already_exists` if they have another account, or the
   * account another person of the provider.
   */
  connect(person: ProviderPerson, user: User, now: number): void
}

export interface Entry extends Omit<Ticket, 'isReturning'> {
  /** Seals of accounts that the device had: one of an account that was lost brings it back. */
  readonly seals: readonly string[]
}

export interface Entered {
  readonly user: User
  readonly became: 'entered' | 'connected' | 'created'
}

export function createProviderSignIn(
  db: Database,
  deps: {
    readonly users: Users
    readonly identities: Identities
    readonly provenAddresses: ProvenAddresses
    readonly registration: Registration
    readonly returningAccounts: ReturningAccounts
  },
): ProviderSignIn {
  const { users, identities, provenAddresses, registration, returningAccounts } = deps

  function lostIdOf(email: string, seals: readonly string[]): UserId | undefined {
    for (const seal of seals) {
      const id = returningAccounts.idOf(email, seal)
      if (id !== undefined) return id
    }
    return undefined
  }

  function add(person: ProviderPerson, user: User, now: number): void {
    if (identities.add(person, user.id, now)) return
    throw new SyncError('already_exists', 'The account is connected with somebody else there', {
      reason: 'connected_elsewhere',
    })
  }

  const enter = db.transaction(
    (person: ProviderPerson, { seals, ...ticket }: Entry, now: number): Entered => {
      const knownId = identities.userOf(person)
      const known = knownId && users.byId(knownId)
      if (known !== undefined) return { user: known, became: 'entered' }

      const email = addressOf(person)
      if (email === undefined) {
        const message = 'Your e-mail address is not verified there: verify it, or sign in with a password'
        throw new SyncError('forbidden', message, { reason: 'address_unverified' })
      }
      const holder = users.byEmail(email)
      if (holder !== undefined) {
        const user = { id: holder.id, email, name: holder.name }
        if (!provenAddresses.has(user.id)) {
          const message =
            'There is an account with your e-mail address, and nobody has shown that it is theirs: sign in with its password, and connect it in “Change password…” of its menu'
          throw new SyncError('already_exists', message, { reason: 'address_unproven' })
        }
        if (identities.isEnded(user.id, person.issuer)) {
          const message =
            'You have ended what connected your account: sign in another way, and connect it again'
          throw new SyncError('already_exists', message, { reason: 'connection_ended' })
        }
        add(person, user, now)
        return { user, became: 'connected' }
      }
      const lostId = lostIdOf(email, seals)
      const user = { id: lostId ?? userIdSchema.parse(randomHexId()), email, name: nameOf(person, email) }
      registration.add({ ...user, passwordHash: '' }, { ...ticket, isReturning: lostId !== undefined }, now)
      provenAddresses.note(user, now)
      add(person, user, now)
      return { user, became: 'created' }
    },
  )

  const connect = db.transaction((person: ProviderPerson, user: User, now: number) => {
    if (identities.userOf(person) === user.id) return
    add(person, user, now)
    const email = addressOf(person)
    if (email === user.email) provenAddresses.note(user, now)
  })

  return {
    isNew(person) {
      const email = addressOf(person)
      return (
        identities.userOf(person) === undefined && email !== undefined && users.byEmail(email) === undefined
      )
    },
    enter: (person, entry, now) => enter.immediate(person, entry, now),
    connect: (person, user, now) => connect.immediate(person, user, now),
  }
}

/** A name that sign-up would take. */
function nameOf({ name }: ProviderPerson, email: string): string {
  const [local = email] = email.split('@')
  const { name: schema } = registerBodySchema.shape
  return schema.safeParse(name).data ?? schema.safeParse(name.slice(0, 90)).data ?? local
}

/** In its normal form; undefined for one that is not verified, or that sign-up would not take. */
function addressOf({ email }: ProviderPerson): string | undefined {
  return registerBodySchema.shape.email.safeParse(email).data
}
