import { expect, test } from 'vitest'

import { addressOf, readAddress } from './address.ts'

test('an address names a space and a chat', () => {
  const address = { invite: null, spaceId: 'a1', treeId: 'b2' }
  expect(readAddress({ pathname: '/', hash: addressOf('a1', 'b2').slice(1) })).toEqual(address)
  expect(readAddress({ pathname: '/', hash: addressOf('a1', null).slice(1) })).toEqual({
    ...address,
    treeId: null,
  })
  expect(readAddress({ pathname: '/', hash: '' })).toEqual({ invite: null, spaceId: null, treeId: null })
})

test('reads the token of an invite link, and ignores text that is not an id', () => {
  expect(readAddress({ pathname: '/invite/tok-en_1', hash: '' }).invite).toBe('tok-en_1')
  expect(readAddress({ pathname: '/', hash: '#<script>/x y' })).toEqual({
    invite: null,
    spaceId: null,
    treeId: null,
  })
})
