import {
  packBatches,
  peerIdSchema,
  randomHexId,
  sessionSchema,
  spaceIdSchema,
  treeIdSchema,
  vertexIdSchema,
  type SpaceId,
  type TreeId,
  type TreeOperation,
} from '@t69/protocol'
import type { BrowserContext, Page } from 'playwright-core'

import { launchChromium } from '../lib/chromium.ts'
import { connectRaw } from '../lib/raw-socket.ts'
import { startServer } from '../lib/server-process.ts'
import { openT69, signIn } from '../lib/t69-page.ts'

/**
 * A tree that is larger than the memory of a tab: a chat, or the space's own tree, with as many operations as are asked
 * for, in a Chromium whose pages have a heap of 512 MB. Prints what the page showed at each start, and how it ended:
 *
 *     pnpm build && node --conditions=source tests/bench/large-tree.ts [operations] [chat | space] [heap in MB]
 */

const count = Number(process.argv[2] ?? 1_500_000)
const where = process.argv[3] === 'space' ? 'space' : 'chat'
const heapMb = Number(process.argv[4] ?? 512)
const starts = 4
/** How long a start is watched, in ms. */
const watchMs = 180_000

const anna = { name: 'Anna', email: 'anna@example.org', password: 'Anna likes long passwords' }

await using server = await startServer({
  env: {
    SPACE_QUOTA_OPERATIONS: '100000000',
    SPACE_QUOTA_BYTES: '100GB',
    USER_QUOTA_BYTES: '100GB',
    OPERATIONS_PER_SECOND_AND_USER: '100000000',
    REQUEST_LIMIT_PER_ADDRESS: '1000000',
    REQUEST_LIMIT_PER_USER: '1000000',
  },
})
const { spaceId, chatId } = await fill()
await using browser = await launchChromium(undefined, [`--js-flags=--max-old-space-size=${heapMb}`])
const context = await browser.newContext()
context.setDefaultTimeout(60_000)

let page = await context.newPage()
await openT69(page, server.url)
await signIn(page, anna)
for (let start = 1; start <= starts; start++) {
  const ended = await watch(page, start)
  await page.close().catch(() => {})
  page = await again(context)
  if (ended === 'open') break
}

async function again(of: BrowserContext): Promise<Page> {
  const next = await of.newPage()
  await next.goto(`${server.url}/#${spaceId}/${chatId}`)
  return next
}

/** Watches a page until everything is there and shown, or it has crashed. Prints each change of what it says. */
async function watch(watched: Page, start: number): Promise<'crashed' | 'open' | 'timeout'> {
  const begun = performance.now()
  let crashed = false
  watched.once('crash', () => (crashed = true))
  let last = ''
  let asked = false
  while (performance.now() - begun < watchMs) {
    if (crashed) {
      say(start, begun, 'CRASHED')
      return 'crashed'
    }
    const seen = await Promise.race([
      watched.evaluate(() => ({
        status: document.querySelector('[data-testid=sync-status]')?.textContent?.trim() ?? '',
        notice: document.querySelector('[data-testid=notice]')?.textContent?.trim() ?? '',
        crashed: document.querySelector('[data-testid=crashed-space]')?.textContent?.trim() ?? '',
        rows: document.querySelectorAll('[data-testid=tree-item]').length,
        messages: document.querySelectorAll('[data-testid=message]').length,
        chat: document.querySelector('[data-testid=app]')?.getAttribute('data-chat-id') ?? '',
        tooLarge: document.querySelector('[data-testid=too-large]')?.textContent?.trim() ?? '',
      })),
      new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 5_000)),
    ]).catch(() => undefined)
    const text = JSON.stringify(seen ?? 'no answer')
    // Not each step of progress.
    const kind = text.replaceAll(/[\d,]+/g, '…')
    if (kind !== last) say(start, begun, text)
    last = kind
    if (seen?.status === 'Synced' && seen.messages > 0) return 'open'
    if (seen?.status === 'Synced' && !asked && where === 'chat') {
      asked = true
      say(start, begun, 'chooses the chat')
      await watched
        .getByTestId('tree-item')
        .first()
        .click({ timeout: 5_000 })
        .catch(() => {})
    }
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
  return 'timeout'
}

function say(start: number, begun: number, text: string): void {
  console.log(`start ${start}, ${((performance.now() - begun) / 1000).toFixed(1)} s: ${text}`)
}

/** Writes the operations into a new space, past the app. */
async function fill(): Promise<{ spaceId: SpaceId; chatId: TreeId }> {
  const call = async (path: string, body: object, token?: string): Promise<unknown> => {
    const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) }
    const response = await fetch(new URL(path, server.url), {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    })
    return await response.json()
  }
  const { accessToken } = sessionSchema.parse(await call('/api/auth/register', anna))
  const space = spaceIdSchema.parse(randomHexId())
  await call('/api/spaces', { id: space, name: 'Huge' }, accessToken)
  using socket = await connectRaw(server.url, accessToken)
  await socket.request('space:join', { spaceId: space })
  const chat = treeIdSchema.parse(randomHexId())
  const begun = performance.now()
  let sent = 0
  for (const ops of operations(space, chat)) {
    for (const { bytes } of packBatches(space, ops)) {
      const outcome = await socket.outcomeOf('ops:push', { spaceId: space, batch: bytes })
      if (outcome !== 'ok') throw new Error(`a push is refused: ${outcome}`)
    }
    sent += ops.length
  }
  console.log(`${sent} operations written in ${((performance.now() - begun) / 1000).toFixed(1)} s`)
  return { spaceId: space, chatId: chat }
}

/** The laid-out space with one chat, and a chain of messages, six operations each, some ten thousand operations at a time. */
function* operations(spaceId: SpaceId, chatId: TreeId): Generator<TreeOperation[]> {
  const peerId = peerIdSchema.parse('1'.repeat(30))
  const writer = (treeId: TreeId) => {
    let clock = 0
    const base = (targetId: string) => ({
      clock: ++clock,
      peerId,
      treeId,
      spaceId,
      targetId: vertexIdSchema.parse(targetId),
    })
    return {
      root: (): TreeOperation => ({ ...base(treeId), parentId: null }),
      vertex(
        id: string,
        parentId: string,
        properties: Readonly<Record<string, string | number>>,
      ): TreeOperation[] {
        return [
          { ...base(id), parentId: vertexIdSchema.parse(parentId) },
          ...Object.entries(properties).map(([key, value]) => ({ ...base(id), key, value })),
        ]
      },
    }
  }
  const space = writer(treeIdSchema.parse(spaceId))
  const chat = writer(chatId)
  const [forest, messages] = [randomHexId(), randomHexId()]
  yield [
    space.root(),
    ...space.vertex(forest, spaceId, { _n: 'app-forest' }),
    ...space.vertex(randomHexId(), forest, { title: 'Huge', tid: chatId }),
    chat.root(),
    ...chat.vertex(messages, chatId, { _n: 'messages' }),
  ]
  let parent = where === 'chat' ? messages : forest
  for (let written = 0; written < count;) {
    const ops: TreeOperation[] = []
    while (ops.length < 12_000 && written + ops.length < count) {
      const id = randomHexId()
      const text = `A message of some forty characters: ${written + ops.length}`
      ops.push(
        ...(where === 'chat'
          ? chat.vertex(id, parent, { _n: 'message', role: 'user', text, createdAt: written, _c: written })
          : space.vertex(id, parent, {
              title: text,
              tid: randomHexId(),
              createdAt: written,
              _c: written,
              n: 1,
            })),
      )
      if (where === 'chat') parent = id
    }
    written += ops.length
    yield ops
  }
}
