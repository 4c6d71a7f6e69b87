import type { ErrorBody } from '@t69/protocol'
import type { SpaceStatus, UnsentSpace } from '@t69/sync-client'

import { answerText } from './error-text.ts'
import { numberText } from './numbers.ts'
import { plural } from './plural.ts'

/** The sync status in a few words. */
export function syncText(status: SpaceStatus, signedIn: boolean): string {
  const { pending } = status
  switch (status.phase) {
    case 'local':
      return signedIn ? 'On this device only' : 'Sign in to sync'
    case 'signed-out':
      return 'Locked until its user signs in'
    case 'offline':
      if (status.error?.code === 'internal') return notSynced(status.error)
      return pending === 0
        ? 'Offline'
        : plural(pending, ['Offline — # edit waiting', 'Offline — # edits waiting'])
    case 'connecting':
      // It says which limit is reached, or whose storage fails.
      if (status.error?.code === 'storage_failed' || status.error?.code === 'quota_exceeded') {
        return notSynced(status.error)
      }
      return pending === 0
        ? 'Connecting…'
        : plural(pending, ['Connecting — # edit waiting', 'Connecting — # edits waiting'])
    case 'catching-up':
      return status.head > status.cursor
        ? `Catching up ${numberText(status.cursor)} / ${numberText(status.head)}`
        : 'Catching up…'
    case 'live':
      if (pending > 0 && isHeldUp(status))
        return plural(pending, ['# edit not accepted', '# edits not accepted'])
      if (pending > 0) return waitingText(pending)
      return status.rejected === 0
        ? 'Synced'
        : plural(status.rejected, ['Synced — # edit refused', 'Synced — # edits refused'])
    case 'blocked':
      if (isOtherSpace(status)) return 'Not synced: another space has its place on the server'
      if (status.error?.code === 'forbidden') return 'Not synced: you can no longer read this space'
      if (status.error?.code === 'not_found') return 'Not synced: this space is no longer on the server'
      return status.error === null ? 'Not synced: the server refuses this space' : notSynced(status.error)
  }
}

function notSynced(error: ErrorBody): string {
  return `Not synced: ${answerText(error)}`
}

/** The same where there is room for little: the icon says that the space is offline, and the words what that means. */
export function briefSyncText(status: SpaceStatus, signedIn: boolean): string {
  const { phase, pending, error } = status
  const waits = pending > 0 && error === null && (phase === 'offline' || phase === 'connecting')
  return waits ? waitingText(pending) : syncText(status, signedIn)
}

function waitingText(pending: number): string {
  return plural(pending, ['# edit waiting', '# edits waiting'])
}

/** What happens to what the user writes, for a chat that is still empty. */
export function emptyChatText({ phase }: SpaceStatus, signedIn: boolean): string {
  if (phase === 'local' && !signedIn)
    return 'What you write is kept on this device and works offline. You can sync it once you sign in.'
  if (phase === 'blocked' || phase === 'local')
    return 'What you write is kept on this device and works offline.'
  return 'What you write is kept on this device, works offline, and syncs.'
}

/** Why a space that somebody else on this device is a member of does not open. */
export function lockedText(name: string): string {
  return `This device keeps “${name}” for another account, which is signed out. You can open it here once that account has removed its spaces from this device, or in another browser.`
}

/** What of a space would be lost if this device forgot it. */
export function unsentText({ name, edits: count }: Pick<UnsentSpace, 'name' | 'edits'>): string {
  if (count === null) return `Perhaps all of “${name}”`
  return plural(count, ['# edit in “%”', '# edits in “%”']).replace('%', () => name)
}

/** Whether the server has another space in the place of this one: the user decides what happens. */
export function isOtherSpace({ phase, error }: SpaceStatus): boolean {
  return phase === 'blocked' && error?.code === 'other_space'
}

/** Whether the server no longer gives the space to this user, who may want a copy of their own. */
export function isLost({ phase, error }: SpaceStatus): boolean {
  return phase === 'blocked' && (error?.code === 'not_found' || error?.code === 'forbidden')
}

/** What the status means for what the user wrote, in a sentence or two. */
export function syncDetails(status: SpaceStatus): string {
  if (status.phase === 'local') return 'This space is on this device only.'
  if (isOtherSpace(status)) return 'Nothing from this device is sent to it.'
  if (status.pending === 0) {
    return status.rejected === 0
      ? 'Everything written here is on the server.'
      : 'Everything else that was written here is on the server.'
  }
  if (status.unstored !== null) return unstoredText(status.unstored)
  if (status.error?.code === 'forbidden') {
    return 'You can no longer write in this space. What you wrote stays on this device, and is sent if you can write here again.'
  }
  const reason =
    status.error === null ? '' : ` The last attempt failed: ${sentence(answerText(status.error))}`
  return `What you wrote is stored on this device, and is sent as soon as possible.${reason}`
}

/** Messages of the protocol end without a full stop. */
function sentence(text: string): string {
  return /[.!?。।]$/.test(text) ? text : `${text}.`
}

/** What the browser answered when it was asked to keep what is on this device. */
export function evictionText(isAllowed: boolean): string {
  return isAllowed
    ? 'The browser may delete what is on this device when the disk runs full.'
    : 'The browser keeps what is on this device, also when the disk runs full.'
}

/** The warning that edits are in memory only. `why` is the storage's own sentence. */
export function unstoredText(why: string): string {
  return `${why} What you write now may be lost if you close this page. It is stored as soon as there is room.`
}

/** Whether the server does not accept the edits that wait. A pause that it asks for does not count. */
function isHeldUp({ pending, error }: SpaceStatus): boolean {
  return pending > 0 && error !== null && error.code !== 'rate_limited'
}

export type SyncTone = 'good' | 'busy' | 'quiet' | 'bad'

export function syncTone(status: SpaceStatus): SyncTone {
  if (status.phase === 'blocked' || status.rejected > 0 || status.unstored !== null) return 'bad'
  if (status.phase === 'connecting' && status.error?.code === 'quota_exceeded') return 'bad'
  if (status.phase === 'offline' && status.error?.code === 'internal') return 'bad'
  if (status.phase === 'live' && isHeldUp(status)) return 'bad'
  if (status.phase === 'live') return status.pending === 0 ? 'good' : 'busy'
  return status.phase === 'connecting' || status.phase === 'catching-up' ? 'busy' : 'quiet'
}
