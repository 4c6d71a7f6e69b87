import { userIdSchema, userSchema, type User, type UserId } from '@t69/protocol'

/** The session as it is stored. */
export interface StoredSession {
  readonly user: User | null
  /** The user who was signed in last, also after the session has expired; null after a sign-out. */
  readonly lastUserId: UserId | null
  /** Null where a cookie holds it. */
  readonly refreshToken: string | null
  /** The sign-out has not been reported to the server yet. */
  readonly owesSignOut: boolean
  /** The users whose accounts were deleted on this device. */
  readonly goneUserIds: readonly UserId[]
}

/** Key of the stored session in the storage's `config`. */
export const sessionConfigKey = 'syncSession'

const userIdsSchema = userIdSchema.array()
export const nobody: StoredSession = {
  user: null,
  lastUserId: null,
  refreshToken: null,
  owesSignOut: false,
  goneUserIds: [],
}

/** The stored session after a sign-out. Only the deleted accounts are remembered. */
export function signedOut({ goneUserIds }: StoredSession): StoredSession {
  return { ...nobody, goneUserIds }
}

/** Parses a stored session. Anything unreadable counts as nobody being signed in. */
export function parseStoredSession(value: unknown): StoredSession {
  if (typeof value !== 'object' || value === null) return nobody
  const field = (key: string): unknown => Object.entries(value).find(([name]) => name === key)?.[1]
  const user = userSchema.safeParse(field('user')).data ?? null
  const refreshToken = field('refreshToken')
  return {
    user,
    lastUserId: user?.id ?? userIdSchema.safeParse(field('lastUserId')).data ?? null,
    refreshToken: typeof refreshToken === 'string' ? refreshToken : null,
    owesSignOut: field('owesSignOut') === true,
    goneUserIds: userIdsSchema.safeParse(field('goneUserIds')).data ?? [],
  }
}
