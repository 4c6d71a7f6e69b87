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
    note: null,
  })
})

test('in a synced space, messages without an author are nobody’s own', () => {
  const nobody = { ...ben, earlier: undefined }
  expect(bylineOf(unsigned, nobody)).toEqual({ name: 'Someone', isMine: false, note: null })
  expect(bylineOf(unsigned, { ...nobody, id: null })).toEqual({ name: 'Someone', isMine: false, note: null })
})

test('the user who turned syncing on is the author of earlier messages without one, and of no later ones', () => {
  expect(bylineOf(unsigned, ben)).toEqual({ name: 'Anna', isMine: false, note: null })
  expect(bylineOf(unsigned, { ...ben, id: 'anna' })).toEqual({ name: 'Anna', isMine: true, note: null })
  expect(bylineOf({ ...unsigned, createdAt: 300 }, ben)).toEqual({
    name: 'Someone',
    isMine: false,
    note: null,
  })
})

test('a message that names its author is shown as theirs to every reader', () => {
  const signed = { ...unsigned, author: 'Cleo', authorId: 'cleo' }
  expect(bylineOf(signed, ben)).toEqual({ name: 'Cleo', isMine: false, note: null })
  expect(bylineOf(signed, { ...ben, id: 'cleo' })).toEqual({ name: 'Cleo', isMine: true, note: null })
  expect(bylineOf({ ...signed, role: 'assistant' }, { ...ben, id: 'cleo' }).isMine).toBe(false)
})

test('a message is by the account that the server names, whatever it says of its author', () => {
  const eve = { id: 'eve', name: 'Eve' }
  const forged = { ...unsigned, author: 'Boss', authorId: 'boss' }
  const says = (name: string) => ({ text: 'Says it is by', name })
  expect(bylineOf(forged, ben, eve)).toEqual({ name: 'Eve', isMine: false, note: says('Boss') })
  // A name without an account, another name for one's own account, and an account without a name.
  expect(bylineOf({ ...unsigned, author: 'Boss' }, ben, eve).note).toEqual(says('Boss'))
  expect(bylineOf({ ...forged, authorId: 'eve' }, ben, eve)).toEqual({
    name: 'Eve',
    isMine: false,
    note: null,
  })
  expect(bylineOf({ ...unsigned, authorId: 'boss' }, ben, eve).note).toEqual(says('someone else'))
  // Not to the one in whose name it is either.
  expect(bylineOf(forged, { ...ben, id: 'boss' }, eve)).toMatchObject({ name: 'Eve', isMine: false })
  expect(bylineOf({ ...unsigned, author: 'Eve' }, ben, eve).note).toBe(null)
  const long = bylineOf({ ...forged, author: 'B'.repeat(100_000) }, ben, eve)
  expect(long.note?.name).toBe(`${'B'.repeat(199)}…`)
})

test('a message of one’s own is one’s own, also where it says that it is somebody else’s', () => {
  const vouched = { id: 'ben', name: 'Ben' }
  expect(bylineOf({ ...unsigned, author: 'Ben', authorId: 'ben' }, ben, vouched)).toEqual({
    name: 'Ben',
    isMine: true,
    note: null,
  })
  expect(bylineOf({ ...unsigned, author: 'Cleo', authorId: 'cleo' }, ben, vouched).isMine).toBe(true)
})

test('what was written signed out is by the account that synced it first, and says so to others', () => {
  const anna = { id: 'anna', name: 'Anna' }
  const note = { text: 'Written while signed out', name: '' }
  expect(bylineOf(unsigned, ben, anna)).toEqual({ name: 'Anna', isMine: false, note })
  expect(bylineOf(unsigned, { ...ben, id: 'anna' }, anna)).toEqual({ name: 'Anna', isMine: true, note: null })
})

test('a reply is by the account whose device wrote it, and the name of its model is a claim', () => {
  const reply = { ...unsigned, role: 'assistant', author: 'Home · small' } as const
  const anna = { id: 'anna', name: 'Anna' }
  expect(bylineOf(reply, ben, anna)).toEqual({
    name: 'Anna’s assistant',
    isMine: false,
    note: { text: 'Written with', name: 'Home · small' },
  })
  expect(bylineOf(reply, { ...ben, id: 'anna' }, anna)).toEqual({
    name: 'Home · small',
    isMine: false,
    note: null,
  })
  expect(bylineOf({ ...reply, author: 'Boss' }, ben, { id: 'eve', name: 'Eve' }).name).toBe('Eve’s assistant')
})

test('the author of earlier messages is stored in the space, and an invalid one is ignored', async () => {
  await using space = await localSpace()
  expect(earlierAuthorOf(space.root)).toBeUndefined()
  recordEarlierAuthor(space.root, earlier)
  expect(earlierAuthorOf(space.root)).toEqual(earlier)
  space.root.root!.setProperty('authorBeforeSync', { id: 'anna' })
  expect(earlierAuthorOf(space.root)).toBeUndefined()
})
