import type { StoredSpace, ClientStorage } from '../storage/index.ts'
import { isLocalUri, serverUri } from '../storage/index.ts'
import type { SessionNote } from './session-note.ts'
import { nobody, parseStoredSession, sessionConfigKey, type StoredSession } from './stored-session.ts'

/**
 * The session that this device has with one server. A token is sent only to the server that issued it, so each server
 * has a session of its own in the storage.
 *
 * Releases before this rule stored one session, without saying whose. It stays where it is, for tabs of those releases
 * that are still open, and belongs to the server whose address the user's spaces have, or else to the page's own.
 */
export interface SessionStore {
  /** The session was found in its note only: the browser has lost the database. */
  readonly wasLost: boolean
  read(): Promise<StoredSession>
  write(session: StoredSession): Promise<void>
  /** The name under which this server's other values are stored. */
  configKey(name: string): string
  /** Whether the space is one of this server's. It is not asked of local spaces, which are nobody's. */
  isOurs(space: StoredSpace): boolean
}

export interface SessionStoreDeps {
  readonly storage: Pick<ClientStorage, 'getConfig' | 'putConfig' | 'listSpaces'>
  readonly note: SessionNote
  /** The server's normal address: see `parseServerUrl`. */
  readonly server: string
  /** The origin of the page, or null where there is none. */
  readonly pageOrigin: string | null
}

export function createSessionStore({ storage, note, server, pageOrigin }: SessionStoreDeps): SessionStore {
  const isOwnOrigin = new URL(server).origin === pageOrigin
  /** The session without a server's name, which an earlier release stored, is of this server. */
  let isHeir = false
  let wasLost = false

  const configKey = (name: string): string => (isHeir ? name : `${name}:${server}`)

  async function inherits(unnamed: unknown): Promise<boolean> {
    if (unnamed === undefined) return false
    const { server: named, user, lastUserId } = parseStoredSession(unnamed)
    if (named !== null) return named === server
    const userId = user?.id ?? lastUserId
    const synced = (await storage.listSpaces()).filter(
      (space) =>
        space.userId !== null && (userId === null || space.userId === userId) && !isLocalUri(space.uri),
    )
    return synced.length === 0 ? isOwnOrigin : synced.some(({ id, uri }) => uri === serverUri(server, id))
  }

  async function write(session: StoredSession): Promise<void> {
    await storage.putConfig(configKey(sessionConfigKey), { ...session, server })
    note.write(session)
  }

  /** A database that never had a session has no note of one either. */
  async function readNote(): Promise<StoredSession> {
    const noted = note.read()
    if (noted === undefined) return nobody
    wasLost = true
    // On a full disk, the next page finds the note again.
    await write(noted).catch(() => {})
    return noted
  }

  return {
    get wasLost() {
      return wasLost
    },
    async read() {
      const unnamed = await storage.getConfig(sessionConfigKey)
      isHeir = await inherits(unnamed)
      const stored = isHeir ? unnamed : await storage.getConfig(configKey(sessionConfigKey))
      if (stored === undefined) return readNote()
      const session = parseStoredSession(stored)
      // An earlier release stored it without a note.
      note.write(session)
      return session
    },
    write,
    configKey,
    isOurs(space) {
      if (space.server !== undefined) return space.server === server
      // An earlier release named the server only in the address of a space that the server knows. Until then the space is
      // of whichever server knows its user.
      return isLocalUri(space.uri) || space.uri === serverUri(server, space.id)
    },
  }
}
