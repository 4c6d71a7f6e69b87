import { createSyncClient, memoryStorage, type Space } from '@t69/sync-client'
import { expect } from 'vitest'

import { startFakeProvider } from '../lib/fake-provider.ts'
import { story } from '../lib/story.ts'
import {
  accountOf,
  invite,
  messages,
  newChat,
  openSpace,
  openT69,
  say,
  setUpProvider,
  signIn,
  spaceOf,
  synced,
  treeItem,
} from '../lib/t69-page.ts'
import { acceptInvite, openOwnSpace } from '../lib/two-people.ts'

const anna = accountOf('Anna')
const home = { name: 'Home', model: 'small', key: 'key-of-anna' }

story('one device asks the AI, and everyone in the chat sees the reply grow', async (stage) => {
  using provider = await startFakeProvider()
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  await setUpProvider(laptop.page, { ...home, baseUrl: provider.baseUrl })
  await laptop.page.getByTestId('close-dialog').click()
  await newChat(laptop.page, 'Ask')

  // Two more devices have the chat open: Anna's own, and Ben's.
  const tablet = await stage.device("Anna's tablet")
  await openT69(tablet.page, tablet.url)
  await signIn(tablet.page, anna)
  await openSpace(tablet.page, await spaceOf(laptop.page))
  const other = await acceptInvite(
    stage,
    "Ben's laptop",
    accountOf('Ben'),
    await invite(laptop.page, 'editor'),
  )
  for (const { page } of [tablet, other]) await treeItem(page, { title: 'Ask' }).click()

  await say(laptop.page, 'What is a tree?')
  await provider.stream('A tree ')
  for (const { page } of [laptop, tablet, other]) {
    await expect.poll(() => messages(page)).toEqual(['What is a tree?', 'A tree'])
  }
  await provider.stream('has roots.')
  for (const { page } of [laptop, tablet, other]) {
    await expect.poll(() => messages(page)).toEqual(['What is a tree?', 'A tree has roots.'])
  }
  await stage.shot(other, 'the reply as it grows')
  provider.finish()
  for (const { page } of [laptop, tablet, other]) {
    await page.locator('[data-testid=message][data-role=assistant]:not([data-streaming=true])').waitFor()
    await synced(page)
    expect(await messages(page)).toEqual(['What is a tree?', 'A tree has roots.'])
  }
  expect(provider.asked).toEqual(['Bearer key-of-anna'])

  // The stored text is the whole reply.
  await other.page.reload()
  await expect.poll(() => messages(other.page)).toEqual(['What is a tree?', 'A tree has roots.'])
})

story(
  'a member who changes the address of a provider is sent neither the key nor a message',
  async (stage) => {
    using provider = await startFakeProvider()
    using thief = await startFakeProvider()
    const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
    const { page } = laptop
    await setUpProvider(page, { ...home, baseUrl: provider.baseUrl })
    await page.getByTestId('close-dialog').click()
    await newChat(page, 'Ask')
    await synced(page)

    await using ben = createSyncClient({ url: stage.server.url, storage: memoryStorage() })
    await ben.signUp(accountOf('Ben'))
    const link = await invite(page, 'editor')
    const { id } = await ben.acceptInvite(new URL(link).pathname.replace('/invite/', ''))
    const space = await ben.openSpace(id)
    const providers = (): Space['root']['root'] => space.root.getVertexByPath('providers')
    await expect.poll(() => providers()?.children.length).toBe(1)
    providers()!.children[0]!.setProperty('baseUrl', thief.baseUrl)
    await space.flushed()
    await page.getByTestId('settings').click()
    await expect.poll(() => page.getByTestId('provider').innerText()).toContain(thief.baseUrl)
    await page.getByTestId('close-dialog').click()

    await say(page, 'What is a tree?')
    await expect.poll(() => page.getByTestId('key-request').innerText()).toContain(`is now ${thief.baseUrl}`)
    expect(await messages(page)).toEqual(['What is a tree?'])
    await stage.shot(laptop, 'the address has changed')
    // The card fits the narrowest phone.
    await page.setViewportSize({ width: 320, height: 640 })
    const card = page.getByTestId('key-request')
    expect(await card.evaluate((form) => form.scrollWidth - form.clientWidth)).toBe(0)
    expect(thief.asked).toEqual([])
  },
)
