import { expect, test } from 'vitest'

import { addressOf, readAddress } from './address.ts'

const nothing = { invite: null, spaceId: null, treeId: null }

test.each(['/', '/t69/', '/a/b/'])('an address names a space and a chat, in an app at %s', (base) => {
  const read = (address: string) => readAddress(new URL(address, 'https://example.org'), base)
  expect(read(addressOf('a1', 'b2', base))).toEqual({ invite: null, spaceId: 'a1', treeId: 'b2' })
  expect(read(addressOf('a1', null, base))).toEqual({ ...nothing, spaceId: 'a1' })
  expect(read(base)).toEqual(nothing)
  expect(read(`${base}invite/tok-en_1`)).toEqual({ ...nothing, invite: 'tok-en_1' })
  expect(read(`${base}elsewhere/invite/tok-en_1`)).toEqual(nothing)
})

test('reads no invite outside the app, and ignores text that is not an id', () => {
  expect(readAddress({ pathname: '/invite/tok-en_1', hash: '' }, '/t69/').invite).toBe(null)
  expect(readAddress({ pathname: '/', hash: '#<script>/x y' }, '/')).toEqual(nothing)
})
