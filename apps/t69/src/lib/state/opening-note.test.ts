import { afterEach, expect, test, vi } from 'vitest'

import { takeCrashes } from './opening-note.ts'

/** Storage of a browser with these notes in it. */
function storageWith(notes: Record<string, unknown>): Storage {
  const stored = new Map(
    Object.entries(notes).map(([key, note]) => [`t69-opening/${key}`, JSON.stringify(note)]),
  )
  const storage: Storage = {
    length: 0,
    key: () => null,
    clear: () => stored.clear(),
    getItem: (key) => stored.get(key) ?? null,
    setItem: (key, value) => void stored.set(key, value),
    removeItem: (key) => void stored.delete(key),
  }
  return Object.assign(storage, Object.fromEntries(stored))
}

afterEach(() => vi.unstubAllGlobals())

test('a page that crashed is known by the chats that it was opening, else by the space, and by nothing illegible', async () => {
  const locks = { query: () => Promise.resolve({ held: [{ name: 't69-opening/alive' }] }) }
  vi.stubGlobal('navigator', { locks })
  vi.stubGlobal('sessionStorage', storageWith({}))
  const space = { spaceId: 's', treeId: null }
  const chats = ['a', 'b'].map((treeId) => ({ spaceId: 's', treeId }))
  for (const [notes, crashes] of [
    [{ one: [space, ...chats] }, chats],
    [{ one: [space], alive: [{ spaceId: 't', treeId: null }] }, [space]],
    // As an earlier release noted it.
    [{ one: chats[0] }, [chats[0]]],
    [{ one: [null, 5, {}, { spaceId: 5 }, [[]]], two: 'x' }, []],
  ] as const) {
    vi.stubGlobal('localStorage', storageWith(notes))
    expect(await takeCrashes()).toEqual(crashes)
  }
})
