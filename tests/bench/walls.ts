import { createSyncClient, memoryStorage } from '@t69/sync-client'

import { launchChromium } from '../lib/chromium.ts'
import { startServer } from '../lib/server-process.ts'
import { message, openT69, ready, signIn, treeItem } from '../lib/t69-page.ts'
import { longestTask, noteLongTasks } from './longest-task.ts'

/**
 * How long a page does not answer because of walls of text: a member has written as much of each kind as a value may hold,
 * into messages, names and titles. Prints the longest task of each step in a real Chromium, in ms:
 *
 *     pnpm build && node --conditions=source tests/bench/walls.ts [messages of each kind]
 */

const rounds = Number(process.argv[2] ?? 3)

const walls: Readonly<Record<string, string>> = {
  lines: '\n'.repeat(250_000),
  marks: `e${'\u0301'.repeat(240_000)}`,
  letters: 'W'.repeat(500_000),
  emoji: '😀'.repeat(120_000),
  'lines of words': 'a line of words\n'.repeat(30_000),
  'right to left': 'שלום עולם '.repeat(25_000),
  'open brackets': '[('.repeat(200_000),
  'list items': '- item\n'.repeat(60_000),
  'quotes in quotes': '>'.repeat(400_000),
  'a table': '|a'.repeat(200_000),
}
const account = { name: 'Anna', email: 'anna@example.org', password: 'Anna likes long passwords' }

await using server = await startServer()
await using writer = createSyncClient({ url: server.url, storage: memoryStorage() })
await writer.signUp(account)
const space = await writer.createSpace({ name: 'Walls' })
const forest = space.root.root?.newNamedChild('app-forest')
for (const [kind, text] of Object.entries(walls)) {
  const tree = await space.createTree()
  const treeId = space.treeIdOf(tree)
  let last = tree.root?.newNamedChild('messages')
  const send = (props: Record<string, string | number>): void => {
    last = last?.newNamedChild('message', { role: 'user', createdAt: Date.now(), ...props })
  }
  for (let round = 0; round < rounds; round++) send({ text, author: text })
  send({ text: `after ${kind}` })
  forest?.newChild({ title: kind, tid: treeId })
  // A chat that is called like that, too.
  forest?.newChild({ title: text, tid: `tree-of-${treeId}`.slice(0, 64) })
  await space.flushed()
}

await using browser = await launchChromium()
const context = await browser.newContext()
context.setDefaultTimeout(120_000)
await noteLongTasks(context)
const page = await context.newPage()
await openT69(page, server.url)
await signIn(page, account)
await longestTask(page)
const figures: Record<string, number> = {}

await treeItem(page, { title: 'lines of words' }).waitFor()
await page.locator('[data-testid=sync-status][data-phase=live]').waitFor()
figures['the space is opened, with its titles'] = await longestTask(page)
for (const kind of Object.keys(walls)) {
  await treeItem(page, { title: kind }).first().click()
  await message(page, `after ${kind}`).waitFor()
  await settled()
  figures[`a chat of ${kind}`] = await longestTask(page)
}
await page.reload()
await ready(page)
await settled()
figures['the page is loaded again'] = await longestTask(page)
console.table(figures)

/** Until the page has painted twice: what is laid out late is in. */
async function settled(): Promise<void> {
  await page.evaluate(
    () => new Promise<void>((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve()))),
  )
}
