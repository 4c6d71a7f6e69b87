import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { localSpace } from '../testing/local-space.ts'
import { noteActivity } from './activity.ts'
import { deleteItem } from './deletions.ts'
import { noteMentions } from './mentions.ts'
import { addItem, layOutSpace } from './space-tree.ts'
import { unwatched } from './tree.ts'
import { firstUnread, latestActivity, newsIn, parseSeen, storedSeen, type SeenSpace } from './unread.ts'

const minute = 60_000

/** Anna's replica, which reads, and Ben's, which writes. */
async function twoReplicas() {
  const space = await localSpace()
  const anna = space.root
  layOutSpace(anna)
  const ids = ['t1', 't2', 't3'].map((treeId) => addItem(anna, { title: treeId, treeId }))
  const ben = anna.replicate('ben')
  const start = latestActivity(anna) + minute
  return {
    anna,
    ben,
    ids,
    start,
    write(tree: typeof anna, index: number, at: number, isUrgent = false) {
      const waitMs = noteActivity(tree, tree.getVertex(ids[index]!)!, at, isUrgent)
      anna.merge(ben.getAllOps())
      ben.merge(anna.getAllOps())
      return waitMs
    },
    unread: (seen: SeenSpace) =>
      Array.from(
        newsIn(anna, seen, { me: 'a', isOwn: ({ peerId }) => peerId === anna.peerId }, unwatched),
        ([id, news]) => (news === 'mention' ? `${id} @` : id),
      ).toSorted(),
    [Symbol.asyncDispose]: () => space[Symbol.asyncDispose](),
  }
}

test('a chat in which somebody else wrote is new until the reader sees it, and one that they wrote in is not', async () => {
  await using it = await twoReplicas()
  const since = latestActivity(it.anna)
  const seen: SeenSpace = { since, chats: new Map() }
  expect(it.unread(seen)).toEqual([])
  it.write(it.ben, 0, it.start)
  it.write(it.anna, 1, it.start)
  expect(it.unread(seen)).toEqual(['t1'])
  const later: SeenSpace = { since, chats: new Map([['t1', { at: it.start, last: null, mention: 0 }]]) }
  expect(it.unread(later)).toEqual([])
  // An earlier time, by a clock that is behind, is new all the same.
  it.write(it.anna, 0, it.start + 2 * minute)
  it.write(it.ben, 0, it.start - minute)
  expect(it.unread(later)).toEqual(['t1'])
})

test('what a device has for the first time is not new, nor is a deleted chat', async () => {
  await using it = await twoReplicas()
  it.write(it.ben, 0, it.start)
  expect(it.unread({ since: null, chats: new Map() })).toEqual([])
  expect(it.unread({ since: latestActivity(it.anna), chats: new Map() })).toEqual([])
  it.write(it.ben, 1, it.start + minute)
  const seen: SeenSpace = { since: it.start, chats: new Map() }
  expect(it.unread(seen)).toEqual(['t2'])
  deleteItem(it.anna, it.ids[1]!, null)
  expect(it.unread(seen)).toEqual([])
})

test('a mention of the reader is new beyond what is written, until they see it, and one by themselves is not', async () => {
  await using it = await twoReplicas()
  const since = latestActivity(it.anna)
  const seen: SeenSpace = { since, chats: new Map() }
  const mention = (tree: typeof it.anna, index: number, id: string, at: number) => {
    noteMentions(tree, tree.getVertex(it.ids[index]!)!, [id], at)
    it.write(tree, index, at)
  }
  mention(it.ben, 0, 'a', it.start)
  mention(it.ben, 1, 'b', it.start)
  mention(it.anna, 2, 'a', it.start)
  expect(it.unread(seen)).toEqual(['t1 @', 't2'])
  const chats = new Map([['t1', { at: it.start, last: null, mention: it.start }]])
  expect(it.unread({ since, chats })).toEqual(['t2'])
  mention(it.ben, 0, 'a', it.start + 1_000)
  expect(it.unread({ since, chats })).toEqual(['t1 @', 't2'])
  it.ben.getVertex(it.ids[0]!)!.setProperty('mention:a', { at: 'x' })
  it.write(it.ben, 1, it.start + 2_000)
  expect(it.unread(seen)).toEqual(['t1', 't2'])
})

test('a page notes an activity once a minute, but at once after somebody else, or when somebody has left', async () => {
  await using it = await twoReplicas()
  expect(it.write(it.anna, 0, it.start)).toBe(0)
  expect(it.write(it.anna, 0, it.start + 20_000)).toBe(40_000)
  expect(it.write(it.ben, 0, it.start + 21_000)).toBe(0)
  expect(it.write(it.anna, 0, it.start + 22_000)).toBe(0)
  expect(it.write(it.anna, 0, it.start + 23_000)).toBe(59_000)
  expect(it.write(it.anna, 0, it.start + 24_000, true)).toBe(0)
})

test('the first new message is the first of somebody else after the last that was seen', () => {
  const thread = ['a', 'b', 'c', 'd'].map((id) => ({ id, versions: id === 'b' ? ['b0', 'b'] : [id] }))
  const isOwn = (id: string) => id === 'c'
  expect(firstUnread(thread, 'a', isOwn)).toBe('b')
  expect(firstUnread(thread, 'b0', isOwn)).toBe('d')
  expect(firstUnread(thread, 'd', isOwn)).toBeNull()
  expect(firstUnread(thread, 'gone', isOwn)).toBeNull()
  expect(firstUnread(thread, null, isOwn)).toBeNull()
})

test('what was seen is read back from the device as it was stored, and anything else is nothing', () => {
  const seen: SeenSpace = {
    since: 5,
    chats: new Map([
      ['t1', { at: 7, last: 'm', mention: 9 }],
      ['t2', { at: 8, last: null, mention: 0 }],
    ]),
  }
  expect(parseSeen(JSON.parse(JSON.stringify(storedSeen(seen))))).toEqual(seen)
  fc.assert(fc.property(fc.jsonValue(), (value) => parseSeen(value).chats instanceof Map))
  expect(parseSeen({ since: 'x', chats: { t1: ['soon'], t2: 7, t3: [1e300] } })).toEqual({
    since: null,
    chats: new Map(),
  })
})
