import { registerBodySchema, userIdSchema, type SessionReply, type User, type UserId } from '@t69/protocol'
import { z } from 'zod'

import type { ClientStorage } from '../storage/index.ts'
import type { SessionStore } from './session-store.ts'

/**
 * The seals of the accounts that were signed in on this device ([SI9]). Only the server that made one can read it. They
 * outlast a sign-out: a server that was restored from an older copy signs everybody out whose account it lost.
 */
export interface AccountSeals {
  /**
   * Keeps the seal of an account. One that is kept already is replaced only when `isNew`: the seal of a renewed session
   * says the same, and must not cost a write.
   */
  keep(reply: SessionReply, isNew: boolean): Promise<void>
  /** Returns the seal of the account with this address that was signed in last. */
  find(email: string): Promise<string | undefined>
  /** The seals of all accounts that were signed in here, the newest last. */
  all(): Promise<string[]>
  /** The other accounts with the address of this one, the newest last. */
  othersOf(user: User): Promise<KeptAccount[]>
  /** The account was deleted, or nothing of it is here any more. */
  forget(userId: UserId): Promise<void>
}

export interface KeptAccount {
  readonly user: User
  readonly seal: string
}

/** The most accounts that are kept. */
const maxAccounts = 20

/** As the server compares addresses. */
const normalEmail = (email: string): string => registerBodySchema.shape.email.safeParse(email).data ?? email

/** Earlier releases kept no name. */
const sealSchema = z.object({
  userId: userIdSchema,
  email: z.string(),
  name: z.string().default(''),
  seal: z.string(),
})
const sealsSchema = z.array(sealSchema)

export function createAccountSeals(
  storage: Pick<ClientStorage, 'getConfig' | 'putConfig'>,
  sessions: Pick<SessionStore, 'configKey'>,
): AccountSeals {
  const key = (): string => sessions.configKey('syncAccountSeals')
  const read = async (): Promise<z.output<typeof sealsSchema>> =>
    sealsSchema.safeParse(await storage.getConfig(key())).data ?? []

  return {
    async keep({ user, seal }, isNew) {
      const kept = await read()
      const email = normalEmail(user.email)
      const isThis = (one: (typeof kept)[number]): boolean => one.userId === user.id && one.email === email
      if (kept.some((one) => isThis(one) && (!isNew || one.seal === seal))) return
      // An account that has another address has given up the one before, and what it may claim.
      const others = kept.filter((one) => one.userId !== user.id)
      await storage.putConfig(
        key(),
        [...others, { userId: user.id, email, name: user.name, seal }].slice(-maxAccounts),
      )
    },
    async find(email) {
      const wanted = normalEmail(email)
      return (await read()).findLast((one) => one.email === wanted)?.seal
    },
    all: async () => (await read()).map(({ seal }) => seal),
    async othersOf({ id, email }) {
      const wanted = normalEmail(email)
      return (await read())
        .filter((one) => one.email === wanted && one.userId !== id)
        .map(({ userId, name, seal }) => ({ user: { id: userId, email: wanted, name }, seal }))
    },
    async forget(userId) {
      const kept = await read()
      const others = kept.filter((one) => one.userId !== userId)
      if (others.length < kept.length) await storage.putConfig(key(), others)
    },
  }
}
