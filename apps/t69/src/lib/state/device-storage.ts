import { localdb } from '@t69/sync-client'

/**
 * What stays on this device and is never synced: which space and chat were open, drafts, colours and the
 * keys of AI providers. All of it is in t69's own tables. Where storage is refused nothing is kept, and
 * nothing fails: the page says so already (`volatileReason`).
 */

export type ColorScheme = 'system' | 'light' | 'dark'

/** How the sidebar of a space was left. */
export interface SavedView {
  readonly chat: string | null
  readonly openFolders: readonly string[]
}

const nowhere: SavedView = { chat: null, openFolders: [] }

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

/** Spaces on this device that are nobody's or this user's. Asks no server. */
export async function readSpaceIds(userId: string | null): Promise<string[]> {
  return (await orElse([], () => localdb.getPointersForUser(userId))).map((pointer) => pointer.id)
}

export function saveCurrentSpace(spaceId: string): Promise<void> {
  return orElse(undefined, () => localdb.saveCurrentSpaceId(spaceId))
}

export async function readSavedView(spaceId: string): Promise<SavedView> {
  const stored = (await orElse({}, readConfig))[`view:${spaceId}`]
  if (typeof stored !== 'object' || stored === null) return nowhere
  const chat = 'chat' in stored && typeof stored.chat === 'string' ? stored.chat : null
  const folders = 'openFolders' in stored && Array.isArray(stored.openFolders) ? stored.openFolders : []
  return { chat, openFolders: folders.filter((id) => typeof id === 'string') }
}

export function saveView(spaceId: string, view: SavedView): Promise<void> {
  return orElse(undefined, () => localdb.saveConfig({ [`view:${spaceId}`]: view }))
}

/** The space that a first visit made by itself, so that it can be let go of while nothing is in it. */
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

export function readDraft(spaceId: string, draftId: string): Promise<string | undefined> {
  return orElse(undefined, () => localdb.getDraft(spaceId, draftId))
}

export function saveDraft(spaceId: string, draftId: string, text: string): Promise<void> {
  return orElse(undefined, () =>
    text === '' ? localdb.deleteDraft(spaceId, draftId) : localdb.saveDraft(spaceId, draftId, text),
  )
}

/** By the names that they were saved under. */
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
  // t69's function knows two schemes; none is the system's.
  if (scheme !== 'system') return orElse(undefined, () => localdb.saveSpaceColorScheme(spaceId, scheme))
  await orElse(0, () => localdb.db.spaces.update(spaceId, { colorScheme: null }))
}
