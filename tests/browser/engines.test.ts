import { join } from 'node:path'

import { clientStorageCases } from '@t69/sync-client/testing/client-storage-contract'
import { seedT69V2 } from '@t69/sync-client/testing/seed-t69-v2'
import { describe, expect } from 'vitest'

import type { DrivenPage } from '../lib/engines/driven-page.ts'
import { engineStory as story } from '../lib/engines/engine-story.ts'
import { engines } from '../lib/engines/engine.ts'
import { startFakeProvider } from '../lib/fake-provider.ts'
import { hostPage } from '../lib/page-host.ts'
import type { Page } from '../lib/page.ts'
import {
  accountOf,
  enableSync,
  invite,
  joinAs,
  message,
  messages,
  newChat,
  newSpace,
  openSpace,
  openT69,
  ready,
  say,
  setUpProvider,
  signIn,
  signUp,
  spaceOf,
  status,
  synced,
  treeItem,
} from '../lib/t69-page.ts'

/**
 * The decisive stories, in the engines of the other browsers. A story is skipped where its engine is not installed. It
 * fails on every error that a page logs, nobody catches, or the content policy causes, and on every request that fails.
 */

const anna = accountOf('Anna')
const ben = accountOf('Ben')

/** What Firefox and WebKit say while no server answers, and how the server refuses what comes while it stops. */
const noServer = /NS_ERROR_|establish a connection|connection to ws:.* was interrupted|"status":503/

/** The address of the page, with the space and the chat that it shows. */
const addressOf = (page: DrivenPage): Promise<string> => page.evaluate(() => location.href)

/** Opens an invite link as somebody new, and joins. */
async function openOwnChat(page: Page, url: string): Promise<void> {
  await openT69(page, url)
  await signUp(page, anna)
  await enableSync(page)
  await newChat(page, 'Diary')
  await say(page, 'Bread')
  await synced(page)
}

/** Waits until the service worker has kept all that the page has loaded. */
async function keptForOffline(page: DrivenPage): Promise<void> {
  const isKept = () =>
    page.evaluate(async () => {
      await navigator.serviceWorker.ready
      const loaded = performance.getEntriesByType('resource').filter(({ name }) => name.includes('/assets/'))
      const kept = await Promise.all(loaded.map(({ name }) => caches.match(name)))
      return kept.every((file) => file !== undefined)
    })
  await expect.poll(isKept).toBe(true)
}

describe.each(engines)('in $name', (engine) => {
  story([engine], 'what goes wrong in a page is heard', async (stage) => {
    const laptop = await stage.device(engine, "Anna's laptop")
    const { page } = laptop
    await openT69(page, laptop.url)
    await page.evaluate(() => {
      console.error('An error on the console')
      setTimeout(() => {
        throw new Error('An error that nobody catches')
      })
      void Promise.reject(new Error('A rejection that nobody catches'))
      document.body.append(Object.assign(document.createElement('script'), { textContent: 'alert()' }))
    })
    await page.reload()
    await page.evaluate(() => void fetch('no-such-file.txt'))
    await ready(page)
    for (const error of [/on the console/, /error that nobody/, /rejection that nobody/, /policy/, /404/])
      await expect.poll(async () => (await stage.errors()).join('\n')).toMatch(error)
    stage.expectErrors(/An error|A rejection|content policy|Content-Security-Policy|"status":404/)
  })

  story(
    [engine],
    'what is written on a first visit is there after each reload, in both tabs',
    async (stage) => {
      const laptop = await stage.device(engine, "Anna's laptop")
      const { page } = laptop
      await openT69(page, laptop.url)
      const height = () => page.evaluate(() => document.querySelector('textarea')?.clientHeight ?? 0)
      const oneLine = await height()
      await page.getByTestId('composer').fill('The field grows with its text. '.repeat(6))
      await expect.poll(height).toBeGreaterThan(oneLine)
      await say(page, 'Bread baking')
      await expect.poll(() => page.evaluate(() => document.title)).toBe('Bread baking · t69')
      for (let i = 0; i < 3; i++) {
        await page.reload()
        await message(page, 'Bread baking').waitFor()
      }
      const second = await laptop.newPage()
      await second.goto(await addressOf(page))
      await message(second, 'Bread baking').waitFor()
      await page.reload()
      await message(page, 'Bread baking').waitFor()
      await say(page, 'From the first tab')
      await message(second, 'From the first tab').waitFor()
      await say(second, 'From the second tab')
      await message(page, 'From the second tab').waitFor()
      expect(await messages(page)).toEqual(['Bread baking', 'From the first tab', 'From the second tab'])
    },
  )

  story(
    [engine],
    'what is written while the server is down is there after a reload, and syncs later',
    async (stage) => {
      const laptop = await stage.device(engine, "Anna's laptop")
      const { page } = laptop
      await openOwnChat(page, laptop.url)
      await keptForOffline(page)
      stage.expectErrors(noServer)
      await stage.server.stop()
      await page.locator('[data-testid=sync-status][data-phase=offline]').waitFor()
      await say(page, 'Offline')
      await expect.poll(async () => (await status(page)).pending).toBeGreaterThan(0)
      await page.reload()
      await message(page, 'Offline').waitFor()
      await say(page, 'Reloaded offline')

      await stage.server.start()
      await page.evaluate(() => void document.dispatchEvent(new Event('visibilitychange')))
      await synced(page)
      const other = await stage.chromium("Anna's Chromium")
      await openT69(other.page, other.url)
      await signIn(other.page, anna)
      await openSpace(other.page, await spaceOf(page))
      await treeItem(other.page, { title: 'Diary' }).click()
      await expect.poll(() => messages(other.page)).toEqual(['Bread', 'Offline', 'Reloaded offline'])
    },
  )

  story(
    [engine],
    'one of two tabs has the connection, and the other takes over when it closes',
    async (stage) => {
      const laptop = await stage.device(engine, "Anna's laptop")
      const leader = laptop.page
      await openOwnChat(leader, laptop.url)
      const follower = await laptop.newPage()
      await openT69(follower, await addressOf(leader))
      await say(follower, 'Through the other tab')
      await message(leader, 'Through the other tab').waitFor()
      await synced(follower)
      await expect.poll(() => stage.connections()).toBe(1)
      await leader.close()
      await say(follower, 'Alone now')
      await synced(follower)
      await expect.poll(() => stage.connections()).toBe(1)
    },
  )

  story([engine], 'after a deploy, one reload is enough, and an open page offers it', async (stage) => {
    const version = (page: DrivenPage) => page.evaluate(() => document.documentElement.dataset['version'])
    await stage.deploy('first')
    const laptop = await stage.device(engine, "Anna's laptop")
    const { page } = laptop
    await openT69(page, laptop.url)
    await expect.poll(() => page.evaluate(() => navigator.serviceWorker.controller !== null)).toBe(true)
    await say(page, 'Bread')
    const second = await laptop.newPage()
    await second.goto(await addressOf(page))
    await second.getByTestId('composer').fill('Half a message')
    await stage.deploy('second')
    await page.reload()
    await expect.poll(() => version(page)).toBe('second')
    await message(page, 'Bread').waitFor()
    expect(await page.getByTestId('new-version').count()).toBe(0)

    await second.getByTestId('new-version').waitFor()
    expect(await version(second)).toBe('first')
    // Not as a person does: WebKit's driver waits in vain for the end of a click that replaces its page.
    await second.evaluate(
      () => void setTimeout(() => document.querySelector<HTMLElement>('[data-testid=reload]')?.click()),
    )
    await expect.poll(() => version(second)).toBe('second')
    await message(second, 'Bread').waitFor()
  })

  story([engine], 'a reply is shown as it comes, and an invite link is copied', async (stage) => {
    using provider = await startFakeProvider()
    const laptop = await stage.device(engine, "Anna's laptop")
    const { page } = laptop
    await openT69(page, laptop.url)
    await setUpProvider(page, { name: 'Home', model: 'small', key: 'key', baseUrl: provider.baseUrl })
    await page.getByTestId('close-dialog').click()
    await say(page, 'How long?')
    await provider.stream('A ')
    await expect.poll(() => messages(page)).toEqual(['How long?', 'A'])
    await provider.stream('day.')
    provider.finish()
    await expect.poll(() => messages(page)).toEqual(['How long?', 'A day.'])
    await signUp(page, anna)
    await enableSync(page)
    await page.getByTestId('share').click()
    await page.getByTestId('create-invite').click()
    await page.getByTestId('copy-invite').click()
    await page.locator('dialog').getByText('Copied', { exact: true }).first().waitFor()
  })

  story(
    [engine],
    'a title and an edit that are being typed stay when another space is shown',
    async (stage) => {
      const laptop = await stage.device(engine, "Anna's laptop")
      const { page } = laptop
      await openT69(page, laptop.url)
      await newChat(page, 'At home')
      const home = await spaceOf(page)
      await newSpace(page, 'Club')
      const club = await spaceOf(page)
      await newChat(page, 'Board')
      await say(page, 'Chess')
      await message(page, 'Chess').hover()
      await message(page, 'Chess').getByTestId('edit-message').click()
      await page.getByTestId('edit-input').fill('Chess and go')
      await page.getByTestId('chat-title').fill('Board games')
      await page.evaluate((hash) => void (location.hash = hash), home)
      await expect.poll(() => spaceOf(page)).toBe(home)
      await openSpace(page, club)
      await treeItem(page, { title: 'Board games' }).waitFor()
      await expect.poll(() => page.getByTestId('edit-input').inputValue()).toBe('Chess and go')
    },
  )

  story([engine], 'everything in a localDb of June 2025 is shown', async (stage) => {
    const laptop = await stage.device(engine, "Anna's laptop")
    const { page } = laptop
    // Any page of the origin that is not the app.
    await page.goto(`${laptop.url}/health`)
    const spaces = await page.evaluate(seedT69V2)
    await openT69(page, laptop.url)
    for (const space of spaces) {
      await openSpace(page, space.id)
      for (const chat of space.chats) {
        await treeItem(page, { title: chat.title }).click()
        await expect.poll(async () => (await messages(page)).length).toBe(chat.messages.length)
      }
    }
  })

  story([engine], 'chats and the session are there when the browser is opened again', async (stage) => {
    if (!engine.keepsProfiles) stage.skip(`a ${engine.name} that is driven keeps nothing on disk`)
    const laptop = await stage.device(engine, "Anna's laptop")
    await openOwnChat(laptop.page, laptop.url)
    await laptop.restart()
    await openT69(laptop.page, laptop.url)
    await treeItem(laptop.page, { title: 'Diary' }).click()
    await message(laptop.page, 'Bread').waitFor()
    await say(laptop.page, 'Another day')
    await synced(laptop.page)
  })

  story(
    [engine],
    'where storage is refused, the app works and syncs, and warns that nothing is kept',
    async (stage) => {
      const laptop = await stage.device(engine, "Anna's laptop", { refusesStorage: true })
      const { page } = laptop
      // Firefox reports that it registers no service worker.
      stage.expectErrors(/Failed to register\/update a ServiceWorker/)
      await openT69(page, laptop.url)
      expect(await page.getByTestId('volatile-warning').innerText()).toMatch(/lost when you close this page/)
      await newChat(page, 'Diary')
      await say(page, 'Written where nothing is kept')
      await signUp(page, anna)
      await enableSync(page)
      const spaceId = await spaceOf(page)
      await page.reload()
      await ready(page)
      await signIn(page, anna)
      await openSpace(page, spaceId)
      await treeItem(page, { title: 'Diary' }).click()
      await message(page, 'Written where nothing is kept').waitFor()
    },
  )

  story([engine], 'IndexedDB keeps the contract of the storage', async (stage) => {
    await using host = await hostPage(join(import.meta.dirname, 'pages/storage-page.ts'))
    const { page } = await stage.device(engine, "Anna's laptop")
    await page.goto(host.url)
    // The driver of WebKit does not wait for scripts that import others.
    await expect.poll(() => page.evaluate(() => 'lab' in globalThis)).toBe(true)
    for (const { name } of clientStorageCases) {
      const failure = await page.evaluate(async (caseName) => {
        const storageCase = lab.clientStorageCases.find((one) => one.name === caseName)
        if (storageCase === undefined) return 'the page has no such case'
        const browser = {
          async open() {
            const storage = await lab.openIndexedDbStorage({ name: caseName })
            if (storage.volatileReason !== null) throw new Error(storage.volatileReason)
            return storage
          },
        }
        return await storageCase.run(browser).then(
          () => null,
          (error: unknown) => String(error),
        )
      }, name)
      expect(failure, name).toBeNull()
    }
  })
})

describe('between engines', () => {
  const [firefox, webKit] = engines
  // Each invites once, and accepts once.
  for (const [from, to] of [
    [undefined, firefox],
    [firefox, webKit],
    [webKit, undefined],
  ]) {
    const names = [from?.name ?? 'Chromium', to?.name ?? 'Chromium']
    const needed = [from, to].filter((engine) => engine !== undefined)
    story(needed, `an invite from ${names[0]} is accepted in ${names[1]}, and both agree`, async (stage) => {
      const open = (name: string, engine = from) =>
        engine === undefined ? stage.chromium(name) : stage.device(engine, name)
      const laptop = await open("Anna's laptop", from)
      await openOwnChat(laptop.page, laptop.url)
      const link = await invite(laptop.page, 'editor')
      const phone = await (to === undefined ? stage.chromium("Ben's phone") : stage.device(to, "Ben's phone"))
      await phone.page.goto(new URL(new URL(link).pathname, phone.url).href)
      await joinAs(phone.page, ben)
      await treeItem(phone.page, { title: 'Diary' }).click()
      await message(phone.page, 'Bread').waitFor()
      await say(phone.page, 'Butter 🧈')
      await message(laptop.page, 'Butter 🧈').waitFor()
      await say(laptop.page, 'Cheese')
      await message(phone.page, 'Cheese').waitFor()
      await synced(phone.page)
      await synced(laptop.page)
      expect(await messages(phone.page)).toEqual(await messages(laptop.page))
    })
  }
})
