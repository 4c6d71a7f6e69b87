import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Page } from 'playwright-core'
import { afterAll, expect } from 'vitest'

import { startServer } from '../lib/server-process.ts'
import { settled } from '../lib/settled.ts'
import { story } from '../lib/story.ts'
import {
  messages,
  newChat,
  newFolder,
  openT69,
  ready,
  say,
  showSidebar,
  spaceOf,
  treeItem,
  treeRows,
} from '../lib/t69-page.ts'

const folder = await mkdtemp(join(tmpdir(), 't69-transfer-'))
afterAll(() => rm(folder, { recursive: true, force: true }))

async function openTransfer(page: Page, which: 'import' | 'export'): Promise<void> {
  await showSidebar(page)
  await page.getByTestId('space-switcher').click()
  await page.getByTestId(which).click()
  await page.getByTestId(`${which}-dialog`).waitFor()
}

/** Presses an export button, and returns where the file is. */
async function exported(page: Page, button: string): Promise<{ path: string; name: string }> {
  await openTransfer(page, 'export')
  const downloading = page.waitForEvent('download')
  await page.getByTestId(button).click()
  const download = await downloading
  const name = download.suggestedFilename()
  const path = join(folder, name)
  await download.saveAs(path)
  await page.getByTestId('export-dialog').waitFor({ state: 'hidden' })
  return { path, name }
}

/** How many operations this device has. Runs in the page. */
const storedOps = () =>
  new Promise<number>((resolve, reject) => {
    const opening = indexedDB.open('localDb')
    opening.addEventListener('error', () => reject(new Error('The database does not open')))
    opening.addEventListener('success', () => {
      const counting = opening.result.transaction('treeOps').objectStore('treeOps').count()
      counting.addEventListener('success', () => {
        opening.result.close()
        resolve(counting.result)
      })
    })
  })

story(
  'a chat is saved as text, and a space moves to another server with all that is in it',
  async (stage) => {
    await using otherServer = await startServer()
    const laptop = await stage.device("Anna's laptop")
    const { page } = laptop
    await openT69(page, laptop.url)
    await newFolder(page, 'Kitchen')
    await newChat(page, 'Bread')
    await say(page, 'How long does **dough** rest?')
    await say(page, 'خبز')

    const text = await exported(page, 'export-chat')
    expect(text.name).toBe('Bread.md')
    const markdown = await readFile(text.path, 'utf8')
    expect(markdown).toContain('# Bread\n\n## You · ')
    expect(markdown).toContain('How long does **dough** rest?')
    const zip = await exported(page, 'export-space')
    expect(zip.name).toMatch(/^My space \d{4}-\d\d-\d\d\.zip$/)

    const phone = await stage.browser.newContext({ viewport: { width: 390, height: 844 } })
    const there = await phone.newPage()
    await openT69(there, otherServer.url)
    const before = await spaceOf(there)
    await openTransfer(there, 'import')
    await there.screenshot({ path: join(import.meta.dirname, '../../artifacts/import-on-a-phone.png') })
    await there.getByTestId('import-file').setInputFiles(zip.path)
    await there.getByTestId('import-dialog').waitFor({ state: 'hidden' })
    await expect.poll(() => spaceOf(there)).not.toBe(before)
    await ready(there)
    await showSidebar(there)
    await treeItem(there, { title: 'Kitchen' }).getByTestId('tree-toggle').click()
    await expect.poll(() => treeRows(there)).toEqual(['Kitchen', '  Bread'])
    await treeItem(there, { title: 'Bread' }).click()
    await expect.poll(() => messages(there)).toHaveLength(2)
    expect((await messages(there))[1]).toBe('خبز')
    await phone.close()
  },
)

story(
  'an import of 5,000 chats shows how far it is, leaves nothing when cancelled, and is seen once it is whole',
  async (stage) => {
    const laptop = await stage.device("Anna's laptop")
    const { page } = laptop
    const conversations = Array.from({ length: 5_000 }, (_, index) => {
      const message = (role: string, said: string) => ({
        author: { role },
        create_time: 1_700_000_000 + index,
        content: { content_type: 'text', parts: [said] },
        metadata: {},
      })
      return {
        title: `Chat ${index}`,
        create_time: 1_700_000_000 + index,
        current_node: 'b',
        mapping: {
          a: { parent: null, children: ['b'], message: message('user', `Question ${index}`) },
          b: { parent: 'a', children: [], message: message('assistant', `Answer ${index}`) },
        },
      }
    })
    const file = join(folder, 'conversations.json')
    await writeFile(file, JSON.stringify(conversations))
    await openT69(page, laptop.url)
    await say(page, 'Mine')
    const space = await spaceOf(page)
    await expect.poll(() => page.evaluate(storedOps)).toBeGreaterThan(30)
    const before = await settled(() => page.evaluate(storedOps))

    await openTransfer(page, 'import')
    await page.getByTestId('import-file').setInputFiles(file)
    const progress = page.getByTestId('transfer-progress')
    await expect.poll(async () => Number(await progress.getAttribute('value'))).toBeGreaterThan(100)
    await stage.shot(laptop, 'how far it is')
    await page.getByTestId('transfer-cancel').click()
    await page.getByTestId('import-file').waitFor()
    await expect.poll(() => page.evaluate(storedOps)).toBe(before)
    await page.getByTestId('close-dialog').click()
    await page.getByTestId('space-switcher').click()
    await page.getByTestId('space-item').first().waitFor()
    expect(await page.getByTestId('space-item').count()).toBe(1)
    await page.keyboard.press('Escape')
    expect(await spaceOf(page)).toBe(space)

    await openTransfer(page, 'import')
    await page.getByTestId('import-file').setInputFiles(file)
    await page.getByTestId('import-dialog').waitFor({ state: 'hidden', timeout: 240_000 })
    await expect.poll(() => page.getByTestId('space-name').innerText()).toBe('ChatGPT')
    await treeItem(page, { title: 'Chat 4999' }).click()
    await expect.poll(() => messages(page)).toEqual(['Question 4999', 'Answer 4999'])
    await stage.shot(laptop, 'imported')
  },
  { timeoutMs: 290_000 },
)

story('a file that is none of the exports says what is wrong, and nothing is imported', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  await openTransfer(page, 'import')
  const chosen = {
    name: 'conversations.json',
    mimeType: 'application/json',
    buffer: Buffer.from('[{"mapping":3}]'),
  }
  await page.getByTestId('import-file').setInputFiles(chosen)
  await page.getByTestId('import-problem').waitFor()
  expect(await page.getByTestId('import-problem').innerText()).toBe(
    'The file “conversations.json” is damaged at [0].mapping. Nothing was imported.',
  )
  await stage.shot(laptop, 'what is wrong')
  await page.getByTestId('close-dialog').click()
  await page.getByTestId('space-switcher').click()
  await page.getByTestId('space-item').first().waitFor()
  expect(await page.getByTestId('space-item').count()).toBe(1)
})

story(
  'a chat of a shared space is copied into a space of one’s own, which nobody else sees',
  async (stage) => {
    const laptop = await stage.device("Anna's laptop")
    const { page } = laptop
    await openT69(page, laptop.url)
    await newChat(page, 'Bread')
    await say(page, 'How long?')
    const shared = await spaceOf(page)
    const copy = async (where: string) => {
      const row = treeItem(page, { title: 'Bread' })
      await row.hover()
      await row.getByTestId('tree-menu').click()
      await page.getByTestId('menu-copy').click()
      await page.getByTestId('copy-chat-dialog').waitFor()
      await stage.shot(laptop, 'where to')
      await page.getByTestId(where).click()
      await page.getByTestId('copy-chat-dialog').waitFor({ state: 'hidden' })
    }
    await copy('copy-here')
    await expect.poll(() => treeRows(page)).toEqual(['Bread (copy)', 'Bread'])
    await expect.poll(() => messages(page)).toEqual(['How long?'])
    await say(page, 'Only in the copy')
    await copy('copy-to-own')
    await expect.poll(() => spaceOf(page)).not.toBe(shared)
    await ready(page)
    await expect.poll(() => messages(page)).toEqual(['How long?'])
    expect(await page.getByTestId('space-name').innerText()).toBe('Bread')
  },
)

story('an import that cannot be loaded says so', async (stage) => {
  const laptop = await stage.device("Anna's laptop", { serviceWorkers: 'block' })
  const { page } = laptop
  await openT69(page, laptop.url)
  await openTransfer(page, 'import')
  await laptop.goOffline()
  await page
    .getByTestId('import-file')
    .setInputFiles({ name: 'conversations.json', mimeType: 'application/json', buffer: Buffer.from('[]') })
  await expect
    .poll(() => page.getByTestId('import-problem').innerText())
    .toContain('This part of t69 could not be loaded.')
})
