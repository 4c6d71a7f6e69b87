import { oneTabAtATime, type SpaceInfo, type SyncClient } from '@t69/sync-client'

import { isBlank, layOutSpace } from '../model/space-tree.ts'
import { newChatDraft, readDraft, readFirstSpace, saveFirstSpace } from './device-storage.ts'
import type { SpaceView } from './space-view.svelte.ts'

/**
 * The local space that a first visit creates by itself, so that there is a chat to write in. While it is blank,
 * it gives way to spaces that the user has elsewhere.
 */

const lock = 't69-first-space'

function firstSpaceName(): string {
  return 'My space'
}

/**
 * The id of a space to open: the first of the `existing` ones, or a new one. Of several tabs that ask at once,
 * one creates it for all.
 */
export function anySpaceId(
  client: SyncClient,
  existing: () => Promise<readonly SpaceInfo[]>,
): Promise<string> {
  return oneTabAtATime(lock, async () => (await existing())[0]?.id ?? (await create(client)))
}

async function create(client: SyncClient): Promise<string> {
  const space = await client.createSpace({ name: firstSpaceName() })
  layOutSpace(space.root)
  await saveFirstSpace(space.id)
  return space.id
}

/**
 * Deletes the first space, unless it is on screen or something has been written in it. Of several tabs that ask at
 * once, as after a sign-in, one deletes it, and the others see that it is gone.
 */
export function deleteBlankFirstSpace(client: SyncClient, view: SpaceView | null): Promise<void> {
  return oneTabAtATime(lock, async () => {
    const blank = await blankFirstSpaceId(client, await client.listSpaces(), view)
    if (blank !== null && blank !== view?.space.id) await client.deleteSpace(blank)
  })
}

/** The id of the first space while nothing has been written in it, not even a draft; null otherwise. */
export async function blankFirstSpaceId(
  client: SyncClient,
  spaces: readonly SpaceInfo[],
  view: SpaceView | null,
): Promise<string | null> {
  const first = spaces.find((space) => !space.synced && space.name === firstSpaceName())
  if (first === undefined || first.id !== (await readFirstSpace())) return null
  if ((await readDraft(first.id, newChatDraft)) !== undefined) return null
  if (view?.space.id === first.id) return isBlank(view.tree) ? first.id : null
  const space = await client.openSpace(first.id)
  const blank = isBlank(space.root)
  await space.close()
  return blank ? first.id : null
}
