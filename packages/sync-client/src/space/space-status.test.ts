import { expect, it } from 'vitest'

import type { SpaceStatus } from '../api.ts'
import { sameStatus } from './space-status.ts'

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
