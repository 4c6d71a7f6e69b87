import {
  decodeBatch,
  encodeBatch,
  randomPeerId,
  spaceIdSchema,
  treeOperationSchema,
  type JsonValue,
  type SpaceId,
  type TreeOperation,
} from '@t69/protocol'
import { expect } from 'vitest'

import { connectRaw, type RawSocket } from '../lib/raw-socket.ts'
import { story } from '../lib/story.ts'
import {
  type Account,
  accountOf,
  invite,
  message,
  newChat,
  reload,
  say,
  spaceOf,
  synced,
} from '../lib/t69-page.ts'
import { acceptInvite, openOwnSpace } from '../lib/two-people.ts'

/** A member whose client writes whatever it likes into messages and deletions. */

const [anna, boss, eve] = [accountOf('Anna'), accountOf('Boss'), accountOf('Eve')]

/** Eve's own client: it signs in, joins the space, and says anything. */
async function forgerOf(url: string, account: Account, spaceId: SpaceId) {
  const response = await fetch(`${url}/api/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: account.email, password: account.password }),
  })
  const { accessToken } = (await response.json()) as { accessToken: string }
  const socket: RawSocket = await connectRaw(url, accessToken)
  expect(await socket.outcomeOf('space:join', { spaceId })).toBe('ok')
  const ack = await socket.request('ops:pull', { spaceId, after: 0 })
  if (!ack.ok) throw new Error(ack.error.message)
  const { ops } = decodeBatch(ack.batch)
  let clock = Math.max(...ops.map((op) => op.clock)) + 10
  const peerId = randomPeerId()
  const op = (fields: object): TreeOperation =>
    treeOperationSchema.parse({ clock: ++clock, peerId, spaceId, ...fields })
  return {
    [Symbol.dispose]: () => socket.io.disconnect(),
    socket,
    ops,
    set: (treeId: string, targetId: string, key: string, value: JsonValue) =>
      op({ treeId, targetId, key, value }),
    move: (treeId: string, targetId: string, parentId: string) => op({ treeId, targetId, parentId }),
    peerId,
    push: async (...pushed: TreeOperation[]): Promise<void> => {
      const batch = encodeBatch({ spaceId, ops: pushed })
      expect(await socket.outcomeOf('ops:push', { spaceId, batch })).toBe('ok')
    },
  }
}

story('a member who writes and deletes in another’s name is named by their own', async (stage) => {
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  const { page } = laptop
  const spaceId = spaceIdSchema.parse(await spaceOf(page))
  const link = await invite(page, 'editor')
  const bosss = await acceptInvite(stage, "Boss's laptop", boss, link)
  await acceptInvite(stage, "Eve's laptop", eve, link)
  for (let count = 1; count <= 5; count++) await newChat(page, `Chat ${count}`)
  await say(page, 'Hello')
  await synced(page)
  const chatId = (await page.getByTestId('app').getAttribute('data-chat-id')) ?? ''
  await bosss.page.locator(`[data-testid=tree-item][data-tree-id="${chatId}"]`).click()
  await message(bosss.page, 'Hello').waitFor()
  await say(bosss.page, 'Well done')
  await synced(bosss.page)
  await message(page, 'Well done').waitFor()
  const bossId = (await page.getByTestId('presence-person').first().getAttribute('data-user-id')) ?? ''
  const authorOf = (text: string) => message(page, text).getAttribute('data-author')
  expect(await authorOf('Well done')).toBe('Boss')

  using forger = await forgerOf(stage.server.url, eve, spaceId)
  const { ops, set, move, push, socket } = forger
  const inChat = ops.filter((op) => op.treeId === chatId)
  const said = (text: string) => inChat.find((op) => op.key === 'text' && op.value === text)?.targetId ?? ''
  const write = (id: string, after: string, fields: Record<string, JsonValue>) => [
    move(chatId, id, after),
    ...Object.entries(fields).map(([key, value]) => set(chatId, id, key, value)),
  ]
  const signed = { createdAt: Date.now(), author: 'Boss', authorId: bossId }

  // A message of the boss, a reply of the boss, and other words in a message that the boss wrote.
  await push(...write('forged', said('Well done'), { ...signed, role: 'user', text: 'You are fired' }))
  await message(page, 'You are fired').waitFor()
  expect(await authorOf('You are fired')).toBe('Eve')
  expect(await message(page, 'You are fired').getByTestId('message-note').innerText()).toBe(
    'Says it is by Boss',
  )
  await push(...write('reply', 'forged', { ...signed, role: 'assistant', text: 'Go home' }))
  await message(page, 'Go home').waitFor()
  expect(await authorOf('Go home')).toBe('Eve’s assistant')
  await stage.shot(laptop, 'forged messages')

  const shown = (text: string) => ({
    spaceId,
    changes: [{ treeId: chatId, targetId: said('Well done'), key: 'text', value: text }],
  })
  socket.io.emit('presence:set', { spaceId, state: { chat: chatId } })
  socket.io.emit('ops:transient', shown('Badly done'))
  await push(set(chatId, 'reply', 'text', 'Go home now'))
  await message(page, 'Go home now').waitFor()
  expect(await message(page, 'Badly done').count()).toBe(0)
  expect(await authorOf('Well done')).toBe('Boss')
  await push(set(chatId, said('Well done'), 'text', 'Really badly done'))
  await message(page, 'Really badly done').waitFor()
  expect(await authorOf('Really badly done')).toBe('Eve')

  const chats = ops.filter((op) => op.key === 'tid').map((op) => op.targetId)
  const mark = { at: Date.now(), peer: forger.peerId, by: { id: bossId, name: 'Boss' } }
  await push(...chats.flatMap((id) => [set(spaceId, id, 'deleted', mark), move(spaceId, id, '0')]))
  const notice = page.getByTestId('mass-deletion')
  await notice.waitFor()
  expect(await notice.innerText()).toContain('Eve deleted')
  await page.getByTestId('space-switcher').click()
  await page.getByTestId('recently-deleted').click()
  await expect.poll(() => page.getByTestId('deletion-details').first().innerText()).toContain('Eve')

  // Somebody who has left keeps the name that this device knew.
  await page.getByTestId('close-dialog').click()
  await page.getByTestId('share').click()
  const row = page.locator('[data-testid=member]', { hasText: 'Eve' })
  await row.getByTestId('member-remove').click()
  await row.waitFor({ state: 'detached' })
  await page.getByTestId('close-dialog').click()
  await reload(page)
  await synced(page)
  await expect.poll(() => authorOf('Really badly done')).toBe('Eve')
})
