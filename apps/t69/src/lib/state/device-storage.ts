import { localdb } from '@t69/sync-client'

import type { ColorScheme } from '../model/themes.ts'
import { parseSeen, storedSeen, type SeenSpace } from '../model/unread.ts'

/**
 * What stays on this device and is never synced: which space and chat were open, drafts, colours and the keys of
 * AI providers, all in t69's own tables. In a browser that refuses storage, reads give defaults and writes do
 * nothing, except that saving a secret fails; the page already says so (`volatileReason`).
 */

/** How this device left a space. */
export interface SavedView {
  readonly chat: string | null
  readonly openFolders: readonly string[]
  /** When it was on screen, in Unix ms; 0 where an earlier release has not said so. */
  readonly shownAt: number
  /** The user was asked whether to sync this local space, and keeps it local. */
  readonly staysLocal: boolean
  /** The space was exported, or the user was told that there is no second copy of it. */
  readonly hasOtherCopy: boolean
}

const nothingSaved: SavedView = {
  chat: null,
  openFolders: [],
  shownAt: 0,
  staysLocal: false,
  hasOtherCopy: false,
}

async function orElse<T>(fallback: T, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch {
    return fallback
  }
}

export function readCurrentSpace(): Promise<string | null> {
  return orElse(null, () => localdb.getCurrentSpaceId())
}

/** The ids of the spaces on this device that belong to nobody or to this user. Needs no network. */
export async function readSpaceIds(userId: string | null): Promise<string[]> {
  return (await orElse([], () => localdb.getPointersForUser(userId))).map((pointer) => pointer.id)
}

export function saveCurrentSpace(spaceId: string): Promise<void> {
  return orElse(undefined, () => localdb.saveCurrentSpaceId(spaceId))
}

export async function readSavedView(spaceId: string): Promise<SavedView> {
  return parseView(await readValue(viewKey(spaceId)))
}

/** The space that this device has shown last, of those that it has shown at all; undefined if there is none. */
export async function lastShownOf(spaceIds: readonly string[]): Promise<string | undefined> {
  const stored = await orElse([], () => localdb.db.config.bulkGet(spaceIds.map(viewKey)))
  const shown = spaceIds.flatMap((id, index) => {
    const entry = stored[index]
    return entry === undefined ? [] : { id, at: parseView(entry.value).shownAt }
  })
  return shown.toSorted((a, b) => b.at - a.at)[0]?.id
}

/** The client removes the value together with the space, for the id in its key. */
const viewKey = (spaceId: string): string => `view:${spaceId}`

function parseView(stored: unknown): SavedView {
  if (typeof stored !== 'object' || stored === null) return nothingSaved
  const chat = 'chat' in stored && typeof stored.chat === 'string' ? stored.chat : null
  const folders = 'openFolders' in stored && Array.isArray(stored.openFolders) ? stored.openFolders : []
  const shownAt = 'shownAt' in stored && typeof stored.shownAt === 'number' ? stored.shownAt : 0
  const staysLocal = 'staysLocal' in stored && stored.staysLocal === true
  const hasOtherCopy = 'hasOtherCopy' in stored && stored.hasOtherCopy === true
  const openFolders = folders.filter((id) => typeof id === 'string')
  return { chat, openFolders, shownAt, staysLocal, hasOtherCopy }
}

export function saveView(spaceId: string, view: SavedView): Promise<void> {
  return orElse(undefined, () => localdb.saveSpaceConfig(spaceId, { [viewKey(spaceId)]: view }))
}

/** The names of people in a space by their ids, as this device knew them last. */
export async function readPeople(spaceId: string): Promise<ReadonlyMap<string, string>> {
  const stored = await readValue(peopleKey(spaceId))
  if (typeof stored !== 'object' || stored === null) return new Map()
  return new Map(
    Object.entries(stored).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}

export function savePeople(spaceId: string, names: ReadonlyMap<string, string>): Promise<void> {
  const people = Object.fromEntries(names)
  return orElse(undefined, () => localdb.saveSpaceConfig(spaceId, { [peopleKey(spaceId)]: people }))
}

/** What the user has seen of the chats of a space, on this device. */
export async function readSeen(spaceId: string): Promise<SeenSpace> {
  return parseSeen(await readValue(seenKey(spaceId)))
}

export function saveSeen(spaceId: string, seen: SeenSpace): Promise<void> {
  return orElse(undefined, () => localdb.saveSpaceConfig(spaceId, { [seenKey(spaceId)]: storedSeen(seen) }))
}

const seenKey = (spaceId: string): string => `seen:${spaceId}`

const peopleKey = (spaceId: string): string => `people:${spaceId}`

/** The versions of messages that this device's reader has chosen to see, by their ids, the latest choice last. */
export async function readChosen(spaceId: string): Promise<readonly string[]> {
  const stored = await readValue(chosenKey(spaceId))
  return Array.isArray(stored) ? stored.filter((id) => typeof id === 'string') : []
}

export function saveChosen(spaceId: string, ids: readonly string[]): Promise<void> {
  return orElse(undefined, () => localdb.saveSpaceConfig(spaceId, { [chosenKey(spaceId)]: ids }))
}

const chosenKey = (spaceId: string): string => `versions:${spaceId}`

/** The space that the first visit created by itself, which may be deleted while it is empty. */
export async function readFirstSpace(): Promise<string | null> {
  const id = await readValue('firstSpaceId')
  return typeof id === 'string' ? id : null
}

export function saveFirstSpace(spaceId: string): Promise<void> {
  return orElse(undefined, () => localdb.saveConfig({ firstSpaceId: spaceId }))
}

/** The sidebar of a wide window. */
export interface SavedSidebar {
  /** In px; null where it was never changed. */
  readonly width: number | null
  readonly isClosed: boolean
}

export async function readSidebar(): Promise<SavedSidebar> {
  const stored = await readValue('sidebar')
  const object = typeof stored === 'object' && stored !== null ? stored : {}
  const width = 'width' in object && typeof object.width === 'number' ? object.width : null
  return { width, isClosed: 'isClosed' in object && object.isClosed === true }
}

export function saveSidebar(sidebar: SavedSidebar): Promise<void> {
  return orElse(undefined, () => localdb.saveConfig({ sidebar }))
}

/** One value, since there is one of each kind for every space. Undefined where there is none. */
async function readValue(key: string): Promise<unknown> {
  return (await orElse(undefined, () => localdb.db.config.get(key)))?.value
}

/** The open tabs of a space, in t69's form: see model/tab-layout.ts. */
export async function readTabLayout(spaceId: string): Promise<string | null> {
  return (await orElse(null, () => localdb.getTtabsLayout(spaceId))) ?? null
}

export function saveTabLayout(spaceId: string, layout: string): Promise<void> {
  return orElse(undefined, () => localdb.saveTtabsLayout(spaceId, layout))
}

/** The draft id of a message that has no chat yet. */
export const newChatDraft = 'new'

export function readDraft(spaceId: string, draftId: string): Promise<string | undefined> {
  return orElse(undefined, () => localdb.getDraft(spaceId, draftId))
}

export async function listDrafts(spaceId: string): Promise<readonly string[]> {
  return Object.keys((await orElse(undefined, () => localdb.getSpaceSetup(spaceId)))?.drafts ?? {})
}

export async function saveDraft(spaceId: string, draftId: string, text: string): Promise<void> {
  await orElse(undefined, () =>
    text === '' ? localdb.deleteDraft(spaceId, draftId) : localdb.saveDraft(spaceId, draftId, text),
  )
  const key = noteKey(spaceId, draftId)
  withNotes((notes) => {
    if (notes.getItem(key) === text) notes.removeItem(key)
  })
}

/**
 * Notes a draft in localStorage, which is written at once, as its page is left: what has only begun to be stored then is given
 * up. The next page stores it.
 */
export function noteDraft(spaceId: string, draftId: string, text: string): void {
  withNotes((notes) => notes.setItem(noteKey(spaceId, draftId), text))
}

/** Stores the drafts that pages noted as they were left. Those of spaces that this device has forgotten are dropped. */
export async function storeNotedDrafts(): Promise<void> {
  const noted = withNotes((notes) => Object.entries<string>(notes)) ?? []
  for (const [key, text] of noted) {
    if (!key.startsWith(notePrefix)) continue
    const at = key.indexOf('/', notePrefix.length)
    await saveDraft(key.slice(notePrefix.length, at), key.slice(at + 1), text)
  }
}

const notePrefix = 't69-draft/'
const noteKey = (spaceId: string, draftId: string): string => `${notePrefix}${spaceId}/${draftId}`

/** Undefined where the browser refuses storage, or has no room. */
function withNotes<T>(work: (notes: Storage) => T): T | undefined {
  try {
    return work(localStorage)
  } catch {
    return undefined
  }
}

/** The secrets of a space by name. */
export function readSecrets(spaceId: string): Promise<ReadonlyMap<string, string>> {
  return orElse(new Map(), async () => new Map(Object.entries((await localdb.getAllSecrets(spaceId)) ?? {})))
}

export function saveSecret(spaceId: string, key: string, value: string): Promise<void> {
  return localdb.setSecret(spaceId, key, value)
}

export function deleteSecret(spaceId: string, key: string): Promise<void> {
  return orElse(undefined, () => localdb.deleteSecret(spaceId, key))
}

export async function readColorScheme(spaceId: string): Promise<ColorScheme> {
  const stored = (await orElse(undefined, () => localdb.getSpaceSetup(spaceId)))?.colorScheme
  return stored === 'light' || stored === 'dark' ? stored : 'system'
}

export async function saveColorScheme(spaceId: string, scheme: ColorScheme): Promise<void> {
  // t69 stores one of two schemes, and nothing for the system's.
  if (scheme !== 'system') return orElse(undefined, () => localdb.saveSpaceColorScheme(spaceId, scheme))
  await orElse(0, () => localdb.db.spaces.update(spaceId, { colorScheme: null }))
}

/** The name of the space's theme, which may be one that this version does not know. */
export async function readTheme(spaceId: string): Promise<string | null> {
  return (await orElse(undefined, () => localdb.getSpaceSetup(spaceId)))?.theme ?? null
}

export async function saveTheme(spaceId: string, theme: string | null): Promise<void> {
  await orElse(0, () => localdb.db.spaces.update(spaceId, { theme }))
}
