import type { SpaceStatus } from '@t69/sync-client'

const count = new Intl.NumberFormat('en')

function edits(number: number): string {
  return number === 1 ? '1 edit' : `${count.format(number)} edits`
}

/** The sync status in a few words. */
export function syncText(status: SpaceStatus, signedIn: boolean): string {
  const waiting = status.pending === 0 ? null : `${edits(status.pending)} waiting`
  switch (status.phase) {
    case 'local':
      return signedIn ? 'On this device only' : 'Sign in to sync'
    case 'signed-out':
      return waiting === null ? 'Sign in to sync' : `Sign in to sync — ${waiting}`
    case 'offline':
      if (status.error?.code === 'internal') return `Not synced: ${status.error.message}`
      return waiting === null ? 'Offline' : `Offline — ${waiting}`
    case 'connecting':
      if (status.error?.code === 'storage_failed' || status.error?.code === 'quota_exceeded') {
        return `Not synced: ${status.error.message}`
      }
      return waiting === null ? 'Connecting…' : `Connecting — ${waiting}`
    case 'catching-up':
      return status.head > status.cursor
        ? `Catching up ${count.format(status.cursor)} / ${count.format(status.head)}`
        : 'Catching up…'
    case 'live':
      if (waiting !== null) return isHeldUp(status) ? `${edits(status.pending)} not accepted` : waiting
      return status.rejected === 0 ? 'Synced' : `Synced — ${edits(status.rejected)} refused`
    case 'blocked':
      return `Not synced: ${status.error?.message ?? 'the server refuses this space'}`
  }
}

/** What happens to what the user writes, for a chat that is still empty. */
export function emptyChatText({ phase }: SpaceStatus, signedIn: boolean): string {
  if (phase === 'blocked' || (phase === 'local' && signedIn))
    return 'What you write is kept on this device and works offline.'
  const then = phase === 'local' || phase === 'signed-out' ? 'syncs once you sign in' : 'syncs'
  return `What you write is kept on this device, works offline, and ${then}.`
}

/** Whether the account that synced the space was deleted on this device: it never syncs again. */
export function isAccountGone({ phase, error }: SpaceStatus): boolean {
  return phase === 'blocked' && error?.code === 'unauthenticated'
}

/** What the status means for what the user wrote, in a sentence or two. */
export function syncDetails(status: SpaceStatus): string {
  if (status.phase === 'local') return 'This space is on this device only.'
  if (isAccountGone(status)) {
    return 'The account that synced this space was deleted. You can still read it and write in it, but nothing is sent any more.'
  }
  if (status.pending === 0) {
    return status.rejected === 0
      ? 'Everything written here is on the server.'
      : 'Everything else that was written here is on the server.'
  }
  if (status.unstored !== null) return unstoredText(status.unstored)
  if (status.error?.code === 'forbidden') {
    return 'You can no longer write in this space. What you wrote stays on this device, and is sent if you can write here again.'
  }
  const reason = status.error === null ? '' : ` The last attempt failed: ${status.error.message}.`
  return `What you wrote is stored on this device, and is sent as soon as possible.${reason}`
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
