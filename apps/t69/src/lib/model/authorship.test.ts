import { expect, test } from 'vitest'

import { localSpace } from '../testing/local-space.ts'
import { bylineOf, earlierAuthorOf, noteEarlierAuthor, type Reader } from './authorship.ts'

const unsigned = { role: 'user', author: undefined, authorId: undefined, createdAt: 100 } as const
const earlier = { id: 'anna', name: 'Anna', until: 200 }
const ben: Reader = { id: 'ben', isAlone: false, earlier }

test('what was written while nobody was signed in is the own on this device', () => {
  expect(bylineOf(unsigned, { id: null, isAlone: true, earlier: undefined })).toEqual({
    name: 'You',
    isMine: true,
  })
})

test('in a space that syncs, nobody sees a message without an author as their own', () => {
  const nobody = { ...ben, earlier: undefined }
  expect(bylineOf(unsigned, nobody)).toEqual({ name: 'Someone', isMine: false })
  expect(bylineOf(unsigned, { ...nobody, id: null })).toEqual({ name: 'Someone', isMine: false })
})

test('whoever turned syncing on is the author of what came before, and of nothing later', () => {
  expect(bylineOf(unsigned, ben)).toEqual({ name: 'Anna', isMine: false })
  expect(bylineOf(unsigned, { ...ben, id: 'anna' })).toEqual({ name: 'Anna', isMine: true })
  expect(bylineOf({ ...unsigned, createdAt: 300 }, ben)).toEqual({ name: 'Someone', isMine: false })
})

test('a message that names its author is theirs, wherever it is read', () => {
  const signed = { ...unsigned, author: 'Cleo', authorId: 'cleo' }
  expect(bylineOf(signed, ben)).toEqual({ name: 'Cleo', isMine: false })
  expect(bylineOf(signed, { ...ben, id: 'cleo' })).toEqual({ name: 'Cleo', isMine: true })
  expect(bylineOf({ ...signed, role: 'assistant' }, { ...ben, id: 'cleo' }).isMine).toBe(false)
})

test('the author of what came before is kept in the space, and nonsense there is nobody', async () => {
  await using space = await localSpace()
  expect(earlierAuthorOf(space.root)).toBeUndefined()
  noteEarlierAuthor(space.root, earlier)
  expect(earlierAuthorOf(space.root)).toEqual(earlier)
  space.root.root!.setProperty('authorBeforeSync', { id: 'anna' })
  expect(earlierAuthorOf(space.root)).toBeUndefined()
})
