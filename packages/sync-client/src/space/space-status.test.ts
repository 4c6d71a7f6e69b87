import { spaceIdSchema, userIdSchema } from '@t69/protocol'
import { expect, it } from 'vitest'

import type { SpaceStatus } from '../api.ts'
import { sameStatus, statusOf } from './space-status.ts'

const status: SpaceStatus = {
  phase: 'live',
  pending: 1,
  rejected: 0,
  cursor: 2,
  head: 3,
  error: { code: 'unavailable', message: 'The server cannot be reached' },
  unstored: null,
}

/** Another value of each field: a new field does not compile without one. */
const others: { readonly [Field in keyof SpaceStatus]: SpaceStatus[Field] } = {
  phase: 'offline',
  pending: 2,
  rejected: 1,
  cursor: 3,
  head: 4,
  error: { code: 'unavailable', message: 'The connection was lost' },
  unstored: 'The disk is full',
}

it('A status is the same as a copy of it, its error included', () => {
  expect(sameStatus(status, structuredClone(status))).toBe(true)
})

it.each(Object.entries(others))('A status with another %s is not the same', (field, value) => {
  expect(sameStatus(status, { ...status, [field]: value })).toBe(false)
})

it('A space is not up to date while this tab has not merged all of it', () => {
  const anna = userIdSchema.parse('a'.repeat(32))
  const facts = {
    stored: {
      id: spaceIdSchema.parse('0'.repeat(32)),
      uri: '',
      name: 'Space',
      createdAt: new Date(0),
      userId: anna,
    },
    account: { mayUse: () => true },
    isLocked: false,
    report: {
      phase: 'live' as const,
      role: null,
      identity: null,
      cursor: 9,
      head: 9,
      error: null,
      pushError: null,
    },
    counts: { pending: 0, rejected: 0 },
    unstored: 0,
    storageError: null,
  }
  expect(statusOf({ ...facts, isBehind: true }).phase).toBe('catching-up')
  expect(statusOf({ ...facts, isBehind: false }).phase).toBe('live')
})
