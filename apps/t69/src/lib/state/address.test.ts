import { expect, test } from 'vitest'

import { addressOf, adminAddress, readAddress, readAdminPath } from './address.ts'

const nothing = { spaceId: null, treeId: null }

test.each(['/', '/t69/', '/a/b/'])('an address names a space and a chat, in an app at %s', (base) => {
  const read = (address: string, entry: unknown = null) =>
    readAddress(new URL(address, 'https://example.org'), entry)
  expect(read(addressOf('a1', 'b2', base))).toEqual({ spaceId: 'a1', treeId: 'b2' })
  expect(read(addressOf('a1', null, base))).toEqual({ ...nothing, spaceId: 'a1' })
  expect(read(addressOf('a1', null, base), { spaceId: 'c3' }).spaceId).toBe('a1')
  expect(read(base, { spaceId: 'c3' })).toEqual(nothing)
  // A space that is nowhere else: the entry of the history says which, and the address does not.
  expect(read(addressOf(null, 'b2', base), { spaceId: 'c3' })).toEqual({ spaceId: 'c3', treeId: 'b2' })
  expect(read(addressOf(null, 'b2', base))).toEqual({ spaceId: null, treeId: 'b2' })
})

test('an address names no chat that is the space itself', () => {
  expect(readAddress({ hash: '#a1/a1' }, null)).toEqual({ ...nothing, spaceId: 'a1' })
  expect(readAddress({ hash: '#here/a1' }, { spaceId: 'a1' })).toEqual({ ...nothing, spaceId: 'a1' })
})

test('ignores text that is not an id, in an address and in an entry of the history', () => {
  expect(readAddress({ hash: '#<script>/x y' }, null)).toEqual(nothing)
  for (const entry of [undefined, 'c3', {}, { spaceId: 3 }, { spaceId: '../c3' }])
    expect(readAddress({ hash: '#here' }, entry)).toEqual(nothing)
})

test.each(['/', '/t69/', '/a/b/'])('an address names a place on the admin page, in an app at %s', (base) => {
  for (const path of ['', 'people', 'people/a1', 'spaces/b2']) {
    expect(readAdminPath({ pathname: adminAddress(path, base) }, base)).toBe(path)
    expect(readAdminPath({ pathname: `${adminAddress(path, base)}/` }, base)).toBe(path)
  }
  for (const pathname of [base, `${base}administrator`, `${base}invite/admin`, '/elsewhere/admin']) {
    expect(readAdminPath({ pathname }, base)).toBeNull()
  }
})
