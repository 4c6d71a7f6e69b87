import { expect } from 'vitest'

import { story } from '../lib/story.ts'
import { accountOf, message, messages, newChat, say, spaceOf, synced } from '../lib/t69-page.ts'
import { agree, freeze, moment, openElsewhere, openTabs, others, shown } from '../lib/tabs-of.ts'
import { openOwnSpace } from '../lib/two-people.ts'

const anna = accountOf('Anna')

story(
  'another tab takes the lead while the leading one is frozen, and keeps it after the thaw',
  async (stage) => {
    const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
    await newChat(laptop.page, 'Diary')
    await synced(laptop.page)
    const spaceId = await spaceOf(laptop.page)
    const tabs = await openTabs(laptop, 3)
    const phone = await openElsewhere(stage, anna, { spaceId, chat: 'Diary' })
    const frozen = await tabs.leader()
    const [writer = frozen, reader = frozen] = others(tabs.pages, frozen)

    await say(frozen, 'The last words before the frost')
    await synced(frozen)
    using frost = await freeze(frozen, writer)
    await say(writer, 'From a tab beside it')
    await message(phone.page, 'From a tab beside it').waitFor()
    await shown([writer, reader, phone.page], 'The last words before the frost')
    await say(phone.page, 'From the other browser')
    await shown([writer, reader], 'From the other browser')
    await agree([writer, reader, phone.page])
    const next = await tabs.leader(frozen)
    await stage.shot(phone, 'while the leader is frozen')

    frost.thaw()
    await shown([frozen], 'From a tab beside it')
    await shown([frozen], 'From the other browser')
    // It has closed its connection.
    expect(await tabs.leader()).toBe(next)
    await say(frozen, 'After the thaw')
    await shown([writer, reader, phone.page], 'After the thaw')
    await agree([...tabs.pages, phone.page])
    const written = await messages(phone.page)
    expect(written).toHaveLength(4)
    for (const page of tabs.pages) await expect.poll(() => messages(page), moment).toEqual(written)
  },
)

story('a frozen tab that does not lead shows after the thaw what it missed', async (stage) => {
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  await newChat(laptop.page, 'Diary')
  await synced(laptop.page)
  const tabs = await openTabs(laptop, 3)
  const leader = await tabs.leader()
  const [frozen = leader, writer = leader] = others(tabs.pages, leader)
  using frost = await freeze(frozen, writer)
  await say(writer, 'One')
  await say(leader, 'Two')
  await agree([writer, leader])
  frost.thaw()
  await shown([frozen], 'Two')
  await say(frozen, 'Three')
  await shown([writer, leader], 'Three')
  await agree(tabs.pages)
  expect(await tabs.leader()).toBe(leader)
  for (const page of tabs.pages)
    await expect.poll(() => messages(page), moment).toEqual(['One', 'Two', 'Three'])
})
