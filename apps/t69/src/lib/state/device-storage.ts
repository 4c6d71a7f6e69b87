import { localdb } from '@t69/sync-client'

/**
 * What stays on this device and is never synced: which space and chat were open, drafts, colours and the keys of
 * AI providers, all in t69's own tables. In a browser that refuses storage, reads give defaults and writes do
 * nothing, except that saving a secret fails; the page already says so (`volatileReason`).
 */

export type ColorScheme = 'system' | 'light' | 'dark'

/** How this device left a space: its open chat and folders. */
export interface SavedView {
  readonly chat: string | null
  readonly openFolders: readonly string[]
}

const nothingSaved: SavedView = { chat: null, openFolders: [] }

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
  const stored = (await orElse({}, readConfig))[`view:${spaceId}`]
  if (typeof stored !== 'object' || stored === null) return nothingSaved
  const chat = 'chat' in stored && typeof stored.chat === 'string' ? stored.chat : null
  const folders = 'openFolders' in stored && Array.isArray(stored.openFolders) ? stored.openFolders : []
  return { chat, openFolders: folders.filter((id) => typeof id === 'string') }
}

export function saveView(spaceId: string, view: SavedView): Promise<void> {
  return orElse(undefined, () => localdb.saveConfig({ [`view:${spaceId}`]: view }))
}

/** The space that the first visit created by itself, which may be deleted while it is empty. */
export async function readFirstSpace(): Promise<string | null> {
  const id = (await orElse({}, readConfig))['firstSpaceId']
  return typeof id === 'string' ? id : null
}

export function saveFirstSpace(spaceId: string): Promise<void> {
  return orElse(undefined, () => localdb.saveConfig({ firstSpaceId: spaceId }))
}

function readConfig(): Promise<Record<string, unknown>> {
  return localdb.getAllConfig()
}

/** The draft id of a message that has no chat yet. */
export const newChatDraft = 'new'

export function readDraft(spaceId: string, draftId: string): Promise<string | undefined> {
  return orElse(undefined, () => localdb.getDraft(spaceId, draftId))
}

export function saveDraft(spaceId: string, draftId: string, text: string): Promise<void> {
  return orElse(undefined, () =>
    text === '' ? localdb.deleteDraft(spaceId, draftId) : localdb.saveDraft(spaceId, draftId, text),
  )
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

/** Notes the colours on screen where public/theme.js finds them before the next page is painted. */
export function noteColorScheme(scheme: ColorScheme): void {
  try {
    localStorage.setItem('t69-color-scheme', scheme)
  } catch {
    // The browser refuses storage.
  }
}
