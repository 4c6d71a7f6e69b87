import { expect, test } from 'vitest'

import { localSpace } from '../testing/local-space.ts'
import { bylineOf, earlierAuthorOf, recordEarlierAuthor, type Reader } from './authorship.ts'

const unsigned = { role: 'user', author: undefined, authorId: undefined, createdAt: 100 } as const
const earlier = { id: 'anna', name: 'Anna', until: 200 }
const ben: Reader = { id: 'ben', isAlone: false, earlier }

test('in a local space, messages without an author are the reader’s own', () => {
  expect(bylineOf(unsigned, { id: null, isAlone: true, earlier: undefined })).toEqual({
    name: 'You',
    isMine: true,
  })
})

test('in a synced space, messages without an author are nobody’s own', () => {
  const nobody = { ...ben, earlier: undefined }
  expect(bylineOf(unsigned, nobody)).toEqual({ name: 'Someone', isMine: false })
  expect(bylineOf(unsigned, { ...nobody, id: null })).toEqual({ name: 'Someone', isMine: false })
})

test('the user who turned syncing on is the author of earlier messages without one, and of no later ones', () => {
  expect(bylineOf(unsigned, ben)).toEqual({ name: 'Anna', isMine: false })
  expect(bylineOf(unsigned, { ...ben, id: 'anna' })).toEqual({ name: 'Anna', isMine: true })
  expect(bylineOf({ ...unsigned, createdAt: 300 }, ben)).toEqual({ name: 'Someone', isMine: false })
})

test('a message that names its author is shown as theirs to every reader', () => {
  const signed = { ...unsigned, author: 'Cleo', authorId: 'cleo' }
  expect(bylineOf(signed, ben)).toEqual({ name: 'Cleo', isMine: false })
  expect(bylineOf(signed, { ...ben, id: 'cleo' })).toEqual({ name: 'Cleo', isMine: true })
  expect(bylineOf({ ...signed, role: 'assistant' }, { ...ben, id: 'cleo' }).isMine).toBe(false)
})

test('the author of earlier messages is stored in the space, and an invalid one is ignored', async () => {
  await using space = await localSpace()
  expect(earlierAuthorOf(space.root)).toBeUndefined()
  recordEarlierAuthor(space.root, earlier)
  expect(earlierAuthorOf(space.root)).toEqual(earlier)
  space.root.root!.setProperty('authorBeforeSync', { id: 'anna' })
  expect(earlierAuthorOf(space.root)).toBeUndefined()
})
