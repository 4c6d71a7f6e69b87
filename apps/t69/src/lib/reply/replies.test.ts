import { expect, test, vi } from 'vitest'

import { addMessage, layOutChat, messageOf, threadOf } from '../model/chat-tree.ts'
import { addProvider } from '../model/providers.ts'
import { layOutSpace } from '../model/space-tree.ts'
import type { SpaceView } from '../state/space-view.svelte.ts'
import { localSpace } from '../testing/local-space.ts'

vi.stubGlobal('addEventListener', () => {})
const { Replies } = await import('./replies.svelte.ts')

/** A chat with a question, in a space whose provider streams what is enqueued. */
async function chat() {
  const space = await localSpace()
  layOutSpace(space.root)
  const provider = { id: 'p1', title: 'Home', protocol: 'openai', baseUrl: 'https://example.org/v1' } as const
  addProvider(space.root, { ...provider, model: 'small', needsKey: false })
  const tree = await space.createTree()
  layOutChat(tree, 'Chat')
  const questionId = addMessage(tree, { role: 'user', text: 'What is a tree?', createdAt: 1 })
  let stream: ReadableStreamDefaultController<Uint8Array> | undefined
  vi.stubGlobal('fetch', async (_url: string, { signal }: { signal: AbortSignal }) => {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        stream = controller
        signal.addEventListener('abort', () => controller.error(signal.reason))
      },
    })
    return new Response(body)
  })
  // The part of a space on screen that replies use.
  const view = {
    space,
    tree: space.root,
    status: space.status,
    keys: { refresh: async () => new Map() },
    chosen: { ids: new Set(), forget() {} },
    activity: { wrote() {} },
    authors: { find: () => null },
    unread: { me: null },
    show() {},
  } as unknown as SpaceView
  return {
    space,
    view,
    treeId: space.treeIdOf(tree),
    questionId,
    replies: new Replies(),
    async say(content: string): Promise<void> {
      await vi.waitFor(() => expect(stream).toBeDefined())
      const chunk = { choices: [{ index: 0, delta: { content } }] }
      stream?.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(chunk)}\n\n`))
    },
    /** What the chat shows last. */
    last() {
      const vertex = tree.getVertex(threadOf(tree).at(-1)?.id ?? '')
      return vertex && messageOf(vertex)
    },
    [Symbol.asyncDispose]: () => space[Symbol.asyncDispose](),
  }
}

test('a reply in a space that is about to be closed keeps what it has said, and is asked for no longer', async () => {
  await using it = await chat()
  const answered = it.replies.answer(it.view, it.treeId, it.questionId)
  await it.say('A tree is')
  await vi.waitFor(() => expect(it.last()).toMatchObject({ text: 'A tree is', inProgress: true }))
  it.replies.stopIn(it.view)
  expect(it.last()).toMatchObject({ text: 'A tree is', outcome: 'stopped', inProgress: false })
  await it.space.close()
  await answered
  expect(it.replies.running.size).toBe(0)
})

test('a chat is closed as often as it is opened, also where the reply is stopped before it begins', async () => {
  await using it = await chat()
  const opened = vi.spyOn(it.space, 'openTree')
  const closed = vi.spyOn(it.space, 'closeTree')
  const answered = it.replies.answer(it.view, it.treeId, it.questionId)
  it.replies.stop(it.treeId)
  await answered
  expect(opened).toHaveBeenCalledTimes(1)
  expect(closed).toHaveBeenCalledTimes(1)
  expect(it.last()).toMatchObject({ role: 'user' })
})

// The last one: what could not be loaded once is not asked for again.
test('a reply ends, too, when what asks the provider cannot be loaded', async () => {
  await using it = await chat()
  vi.doMock('../provider-api/completion.ts', () => {
    throw new Error('Failed to fetch dynamically imported module')
  })
  vi.doMock('../provider-api/refusal.ts', () => {
    throw new Error('Failed to fetch dynamically imported module')
  })
  await it.replies.answer(it.view, it.treeId, it.questionId)
  expect(it.last()).toMatchObject({ role: 'assistant', outcome: 'lost', why: 'network', inProgress: false })
})
