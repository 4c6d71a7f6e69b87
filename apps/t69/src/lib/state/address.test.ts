import { expect, test } from 'vitest'

import { addressOf, readAddress } from './address.ts'

test('an address says which space and which chat', () => {
  const place = { invite: null, spaceId: 'a1', treeId: 'b2' }
  expect(readAddress({ pathname: '/', hash: addressOf('a1', 'b2').slice(1) })).toEqual(place)
  expect(readAddress({ pathname: '/', hash: addressOf('a1', null).slice(1) })).toEqual({
    ...place,
    treeId: null,
  })
  expect(readAddress({ pathname: '/', hash: '' })).toEqual({ invite: null, spaceId: null, treeId: null })
})

test('an invite link is told from the rest, and what is no id is nothing', () => {
  expect(readAddress({ pathname: '/invite/tok-en_1', hash: '' }).invite).toBe('tok-en_1')
  expect(readAddress({ pathname: '/', hash: '#<script>/x y' })).toEqual({
    invite: null,
    spaceId: null,
    treeId: null,
  })
})
