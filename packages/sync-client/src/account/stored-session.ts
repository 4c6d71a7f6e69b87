import { userIdSchema, userSchema, type User, type UserId } from '@t69/protocol'

/** The session as it is stored. */
export interface StoredSession {
  readonly user: User | null
  /** The user who was signed in last, also after the session has ended by itself; null after a sign-out. */
  readonly lastUserId: UserId | null
  /** Null where a cookie holds it. */
  readonly refreshToken: string | null
  /** The sign-out has not been reported to the server yet. */
  readonly owesSignOut: boolean
  /** The users who wanted this device to forget their spaces, until that is done. The last to ask is the first. */
  readonly forgetting: readonly UserId[]
  /** The address of the server that made the session; null in what an earlier release stored. */
  readonly server: string | null
}

/** Key of the stored session in the storage's `config`: see `createSessionStore`. */
export const sessionConfigKey = 'syncSession'

export const nobody: StoredSession = {
  user: null,
  lastUserId: null,
  refreshToken: null,
  owesSignOut: false,
  forgetting: [],
  server: null,
}

/** Parses a stored session. Anything unreadable counts as nobody being signed in. */
export function parseStoredSession(value: unknown): StoredSession {
  if (typeof value !== 'object' || value === null) return nobody
  const field = (key: string): unknown => Object.entries(value).find(([name]) => name === key)?.[1]
  const user = userSchema.safeParse(field('user')).data ?? null
  const [refreshToken, server] = [field('refreshToken'), field('server')]
  return {
    user,
    lastUserId: user?.id ?? userIdSchema.safeParse(field('lastUserId')).data ?? null,
    refreshToken: typeof refreshToken === 'string' ? refreshToken : null,
    owesSignOut: field('owesSignOut') === true,
    forgetting: userIdSchema.array().safeParse(field('forgetting')).data ?? [],
    server: typeof server === 'string' ? server : null,
  }
}
