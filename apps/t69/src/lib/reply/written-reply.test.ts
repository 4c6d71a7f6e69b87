import { expect, test } from 'vitest'

import { addMessage, layOutChat, messageOf } from '../model/chat-tree.ts'
import { localSpace } from '../testing/local-space.ts'
import { writeReplyInto } from './written-reply.ts'

const by = { providerId: 'p', model: 'm', host: 'ai.example', configId: undefined }

async function begin() {
  const space = await localSpace()
  const tree = await space.createTree()
  layOutChat(tree, 'A chat')
  const id = addMessage(tree, { role: 'assistant', text: '', createdAt: 1, by })
  const vertex = tree.getVertex(id)!
  const before = tree.getAllOps().length
  const reply = writeReplyInto(vertex, () => tree.flushEvents())
  /** The characters in what was stored since. */
  const cost = (): number =>
    tree
      .getAllOps()
      .slice(before)
      .reduce((sum, op) => sum + ('value' in op ? JSON.stringify(op.value).length : 0), 0)
  return { space, tree, vertex, reply, cost, [Symbol.asyncDispose]: () => space[Symbol.asyncDispose]() }
}

test('a reply costs the log at most twice its text, and what it has so far is in the log', async () => {
  for (const length of [500, 2_100, 40_000, 150_000]) {
    await using it = await begin()
    const text = 'word '.repeat(length / 5)
    for (let at = 0; at < length; at += 40) {
      it.reply.take({ kind: 'text', text: text.slice(at, at + 40) })
      if (at % 2_000 > 0) continue
      // Another device that has only what is stored.
      const kept = messageOf(it.tree.replicate('9').getVertex(it.vertex.id)!).text
      expect(text.startsWith(kept)).toBe(true)
      expect(at - kept.length).toBeLessThanOrEqual(Math.max(2_100, length / 8))
    }
    it.reply.end({ outcome: 'done' })
    expect(messageOf(it.vertex)).toMatchObject({ text, outcome: 'done', inProgress: false })
    expect(it.cost()).toBeLessThanOrEqual(2 * length + 200)
  }
})

test('the last write never throws, whatever came', async () => {
  await using it = await begin()
  // A provider may split a character between two pieces.
  it.reply.take({ kind: 'text', text: 'so far \ud83d' })
  it.reply.take({ kind: 'text', text: '\ude02 and half \ud83d' })
  it.reply.take({ kind: 'thinking', text: '\ude02' })
  it.reply.end(it.reply.ownEnd())
  expect(messageOf(it.vertex)).toMatchObject({
    text: 'so far 😂 and half \ufffd',
    thinking: '\ufffd',
    outcome: 'done',
  })
  // Later ends change nothing.
  it.reply.end({ outcome: 'stopped' })
  expect(messageOf(it.vertex).outcome).toBe('done')
})

test('a reply longer than a message takes no more, is cut to fit, and says so', async () => {
  await using it = await begin()
  let taken = 0
  while (it.reply.take({ kind: 'text', text: '\\"'.repeat(500) })) taken += 1_000
  it.reply.end({ outcome: 'done' })
  const ended = messageOf(it.vertex)
  expect(ended).toMatchObject({ outcome: 'cut', why: 'length' })
  expect(ended.text.length).toBeGreaterThan(200_000)
  expect(taken).toBeLessThan(300_000)
})

test('a reply whose space was closed is left as it was', async () => {
  const it = await begin()
  it.reply.take({ kind: 'text', text: 'so far' })
  await it.space[Symbol.asyncDispose]()
  expect(it.reply.take({ kind: 'text', text: 'x'.repeat(5_000) })).toBe(true)
  it.reply.end({ outcome: 'done' })
})

test('a reply says of its own end what the model said', async () => {
  const endAfter = async (...pieces: Parameters<Awaited<ReturnType<typeof begin>>['reply']['take']>[0][]) => {
    await using it = await begin()
    for (const piece of pieces) it.reply.take(piece)
    return it.reply.ownEnd()
  }
  expect(await endAfter({ kind: 'text', text: 'a' })).toEqual({ outcome: 'done' })
  expect(await endAfter()).toEqual({ outcome: 'refused' })
  expect(await endAfter({ kind: 'text', text: ' \n' })).toEqual({ outcome: 'refused' })
  expect(await endAfter({ kind: 'refusal', text: 'No' })).toEqual({ outcome: 'refused', refusal: 'No' })
  expect(await endAfter({ kind: 'text', text: 'a' }, { kind: 'end', why: 'length' })).toEqual({
    outcome: 'cut',
    why: 'length',
  })
})
