import { userIdSchema, userSchema, type User, type UserId } from '@t69/protocol'

/** The session as the storage keeps it. */
export interface StoredSession {
  readonly user: User | null
  /** Whose session ran out last; null after a sign-out. */
  readonly lastUserId: UserId | null
  /** Null where a cookie holds it. */
  readonly refreshToken: string | null
  /** The server has not heard of the sign-out yet. */
  readonly owesSignOut: boolean
  /** The users who deleted their accounts on this device. */
  readonly goneUserIds: readonly UserId[]
}

/** The storage's `config` has it under this key. */
export const sessionConfigKey = 'syncSession'

const userIdsSchema = userIdSchema.array()
export const nobody: StoredSession = {
  user: null,
  lastUserId: null,
  refreshToken: null,
  owesSignOut: false,
  goneUserIds: [],
}

/** What is left when nobody is signed in any more. */
export function signedOut({ goneUserIds }: StoredSession): StoredSession {
  return { ...nobody, goneUserIds }
}

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
