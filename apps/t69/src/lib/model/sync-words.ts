import type { SpaceStatus } from '@t69/sync-client'

const count = new Intl.NumberFormat('en')

function edits(number: number): string {
  return number === 1 ? '1 edit' : `${count.format(number)} edits`
}

/** The sync status in a few words. */
export function syncWords(status: SpaceStatus, signedIn: boolean): string {
  const waiting = status.pending === 0 ? null : `${edits(status.pending)} waiting`
  switch (status.phase) {
    case 'local':
      return signedIn ? 'On this device only' : 'Sign in to sync'
    case 'signed-out':
      return waiting === null ? 'Sign in to sync' : `Sign in to sync — ${waiting}`
    case 'offline':
      return waiting === null ? 'Offline' : `Offline — ${waiting}`
    case 'connecting':
      return waiting === null ? 'Connecting…' : `Connecting — ${waiting}`
    case 'catching-up':
      return status.head > status.cursor
        ? `Catching up ${count.format(status.cursor)} / ${count.format(status.head)}`
        : 'Catching up…'
    case 'live':
      if (waiting !== null) return waiting
      return status.rejected === 0 ? 'Synced' : `Synced — ${edits(status.rejected)} refused`
    case 'blocked':
      return `Not synced: ${status.error?.message ?? 'the server refuses this space'}`
  }
}

export type SyncTone = 'good' | 'busy' | 'quiet' | 'bad'

export function syncTone(status: SpaceStatus): SyncTone {
  if (status.phase === 'blocked' || status.rejected > 0) return 'bad'
  if (status.phase === 'live') return status.pending === 0 ? 'good' : 'busy'
  return status.phase === 'connecting' || status.phase === 'catching-up' ? 'busy' : 'quiet'
}
