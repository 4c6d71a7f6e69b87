import type { ErrorCode } from '@t69/protocol'
import type { SpaceStatus } from '@t69/sync-client'
import { expect, test } from 'vitest'

import {
  briefSyncText,
  emptyChatText,
  evictionText,
  isLost,
  isOtherSpace,
  syncDetails,
  syncTone,
  syncText,
  unsentText,
} from './sync-text.ts'

const synced: SpaceStatus = {
  phase: 'live',
  pending: 0,
  rejected: 0,
  cursor: 5,
  head: 5,
  error: null,
  unstored: null,
}

test('the status names the phase and counts the edits that wait', () => {
  expect(syncText(synced, true)).toBe('Synced')
  expect(syncText({ ...synced, pending: 1 }, true)).toBe('1 edit waiting')
  expect(syncText({ ...synced, phase: 'offline', pending: 3 }, true)).toBe('Offline — 3 edits waiting')
  expect(syncText({ ...synced, phase: 'offline' }, true)).toBe('Offline')
  expect(syncText({ ...synced, phase: 'catching-up', cursor: 12_000, head: 500_000 }, true)).toBe(
    'Catching up 12,000 / 500,000',
  )
  expect(syncText({ ...synced, phase: 'local' }, false)).toBe('Sign in to sync')
  expect(syncText({ ...synced, phase: 'local' }, true)).toBe('On this device only')
})

test('what the server refuses is told in the words of the page, and by the limit or the storage where there is one', () => {
  const refused = (code: ErrorCode, phase: SpaceStatus['phase'] = 'blocked') =>
    syncText({ ...synced, phase, error: { code, message: 'In English' } }, true)
  expect(refused('not_found')).toBe('Not synced: this space is no longer on the server')
  expect(refused('forbidden')).toBe('Not synced: you can no longer read this space')
  expect(refused('storage_failed', 'connecting')).toBe('Not synced: In English')
  expect(refused('quota_exceeded', 'connecting')).toBe(
    'Not synced: There is no room left on the server for this space.',
  )
  const waiting = { ...synced, phase: 'connecting', pending: 1 } as const
  const error = { code: 'unavailable', message: 'In English' } as const
  expect(syncDetails({ ...waiting, error })).toMatch(
    / The last attempt failed: The server cannot be reached\. Try/,
  )
})

test('where there is little room, edits that wait are counted without saying again that the space is offline', () => {
  expect(briefSyncText({ ...synced, phase: 'offline', pending: 3 }, true)).toBe('3 edits waiting')
  expect(briefSyncText({ ...synced, phase: 'connecting', pending: 1 }, true)).toBe('1 edit waiting')
  expect(briefSyncText({ ...synced, phase: 'offline' }, true)).toBe('Offline')
  expect(briefSyncText(synced, true)).toBe('Synced')
  const error = { code: 'internal', message: 'No session' } as const
  expect(briefSyncText({ ...synced, phase: 'offline', pending: 3, error }, true)).toBe(
    'Not synced: No session',
  )
})

test('a session that the server does not renew is told as that, and not as a space that one may not write in', () => {
  const message = 'The server does not renew the session of this page'
  const status = { ...synced, phase: 'offline', pending: 2, error: { code: 'internal', message } } as const
  expect(syncText(status, true)).toBe(`Not synced: ${message}`)
  expect(syncTone(status)).toBe('bad')
  expect(syncDetails(status)).toContain(`The last attempt failed: ${message}.`)
  expect(syncDetails(status)).not.toContain('no longer write')
})

test('another space in the place of this one is told as that, and not as everything being on the server', () => {
  const error = { code: 'other_space', message: 'x' } as const
  const status = { ...synced, phase: 'blocked', error } as const
  expect(isOtherSpace(status)).toBe(true)
  expect(syncText(status, true)).toBe('Not synced: another space has its place on the server')
  expect(syncDetails(status)).toBe('Nothing from this device is sent to it.')
  expect(syncTone(status)).toBe('bad')
  expect(isLost(status)).toBe(false)
  expect(isLost({ ...status, error: { code: 'not_found', message: 'x' } })).toBe(true)
})

test('an empty chat says where messages are kept and whether they sync', () => {
  expect(emptyChatText(synced, true)).toBe('What you write is kept on this device, works offline, and syncs.')
  expect(emptyChatText({ ...synced, phase: 'local' }, false)).toBe(
    'What you write is kept on this device and works offline. You can sync it once you sign in.',
  )
  for (const phase of ['local', 'blocked'] as const)
    expect(emptyChatText({ ...synced, phase }, true)).toBe(
      'What you write is kept on this device and works offline.',
    )
})

test('edits of a member who may no longer edit are shown as not accepted, and are kept', () => {
  const error = { code: 'forbidden', message: 'A viewer changes nothing' } as const
  const status = { ...synced, pending: 3, error }
  expect(syncText(status, true)).toBe('3 edits not accepted')
  expect(syncTone(status)).toBe('bad')
  expect(syncDetails(status)).toContain('stays on this device')
})

test('what is lost with a space is counted, where the count is known', () => {
  expect(unsentText({ name: 'Diary', edits: 1 })).toBe('1 edit in “Diary”')
  expect(unsentText({ name: 'Diary', edits: 1200 })).toBe('1,200 edits in “Diary”')
  expect(unsentText({ name: 'Diary', edits: null })).toBe('Perhaps all of “Diary”')
})

test('a space with refused edits is not shown as fine', () => {
  expect(syncText({ ...synced, rejected: 2 }, true)).toBe('Synced — 2 edits refused')
  expect(syncTone({ ...synced, rejected: 2 })).toBe('bad')
})

test('edits that this device cannot store are shown as a problem, synced or not', () => {
  const unstored = 'The browser gives this site no more room.'
  const status = { ...synced, phase: 'local', pending: 1, unstored } as const
  expect(syncTone(status)).toBe('bad')
  expect(syncDetails({ ...status, phase: 'live' })).toContain('may be lost if you close this page')
})

test('a pause that the server asks for shows as waiting, and a full server as a problem', () => {
  const busy = { ...synced, pending: 3, error: { code: 'rate_limited', message: 'too much' } } as const
  expect(syncText(busy, true)).toBe('3 edits waiting')
  expect(syncTone(busy)).toBe('busy')
  const error = { code: 'quota_exceeded', reason: 'too_many_spaces', message: 'You own 5 spaces' } as const
  const full: SpaceStatus = { ...synced, phase: 'connecting', pending: 3, error }
  expect(syncText(full, true)).toMatch(/^Not synced: You own as many spaces as this server allows\./)
  expect(syncTone(full)).toBe('bad')
})

test('what the browser answered is told as what it may do', () => {
  expect(evictionText(true)).toBe('The browser may delete what is on this device when the disk runs full.')
  expect(evictionText(false)).toBe('The browser keeps what is on this device, also when the disk runs full.')
})
