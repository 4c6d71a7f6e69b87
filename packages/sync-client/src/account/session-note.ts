import { parseStoredSession, type StoredSession } from './stored-session.ts'

/**
 * Notes in `localStorage` who is signed in, so that it outlives a database that the browser loses. It holds no token: that
 * is in the cookie.
 */
export interface SessionNote {
  /** The noted session; undefined if there is none. */
  read(): StoredSession | undefined
  /** Notes the session, or removes the note of one that nothing depends on any more. Never throws. */
  write(session: StoredSession): void
}

/** `key` names the database and the server. */
export function createSessionNote(
  store: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>,
  key: string,
): SessionNote {
  return {
    read() {
      try {
        const text = store.getItem(key)
        return text === null ? undefined : parseStoredSession(JSON.parse(text))
      } catch {
        return undefined
      }
    },
    write(session) {
      const isNeeded = session.user !== null || session.owesSignOut || session.forgetting.length > 0
      const text = JSON.stringify({ ...session, refreshToken: null })
      try {
        if (store.getItem(key) === text) return
        // Removed first: if the store is full, a lost database takes the session with it, and brings none of before back.
        store.removeItem(key)
        if (isNeeded) store.setItem(key, text)
      } catch {
        // The store is full or refuses.
      }
    },
  }
}

/** Where there is no cookie to go on with, or nothing that outlives the page. */
export const noSessionNote: SessionNote = { read: () => undefined, write: () => {} }
