import { expect } from 'vitest'

import { createRandom } from '../lib/random.ts'
import { story } from '../lib/story.ts'
import {
  accountOf,
  messages,
  newChat,
  say,
  signIn,
  signOut,
  spaceOf,
  status,
  stored,
  synced,
} from '../lib/t69-page.ts'
import { agree, crash, moment, openElsewhere, openTabs, others, shown } from '../lib/tabs-of.ts'
import { openOwnSpace } from '../lib/two-people.ts'

const anna = accountOf('Anna')

story(
  'three tabs share one connection, and another tab takes over when the leading one goes',
  async (stage) => {
    const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
    await newChat(laptop.page, 'Diary')
    await synced(laptop.page)
    const spaceId = await spaceOf(laptop.page)
    const tabs = await openTabs(laptop, 3)
    const phone = await openElsewhere(stage, anna, { spaceId, chat: 'Diary' })
    let alive = tabs.pages
    const first = await tabs.leader()

    for (const [index, page] of alive.entries()) {
      await say(page, `From tab ${index}`)
      await shown([...others(alive, page), phone.page], `From tab ${index}`)
    }
    await say(phone.page, 'From the other browser')
    await shown(alive, 'From the other browser')
    await agree([...alive, phone.page])
    await stage.shot(phone, 'what three tabs wrote')

    // The leading tab is closed while another one writes.
    alive = others(alive, first)
    const [writer = phone.page] = alive
    const closing = first.close()
    await say(writer, 'As the first leader was closed')
    await closing
    await shown([...alive, phone.page], 'As the first leader was closed')
    const second = await tabs.leader()
    expect(alive).toContain(second)
    await agree([...alive, phone.page])

    // The next leader is killed a frame after its own message was on screen.
    alive.push(await tabs.open())
    const before = await status(second)
    await say(second, 'Last words of the second leader')
    await stored(second, before)
    await crash(second)
    alive = others(alive, second)
    const [survivor = phone.page] = alive
    await say(survivor, 'As the second leader was killed')
    await shown([...alive, phone.page], 'As the second leader was killed')
    await shown([...alive, phone.page], 'Last words of the second leader')
    expect(alive).toContain(await tabs.leader())
    await agree([...alive, phone.page])
    await expect.poll(() => messages(phone.page), moment).toEqual(await messages(survivor))
    await stage.shot(phone, 'after two leaders')
  },
)

/** Runs in a page: IndexedDB refuses writes once `isDiskFull` is set. */
const fillableDisk = `
  IDBDatabase.prototype.transaction = new Proxy(IDBDatabase.prototype.transaction, {
    apply(transaction, database, [names, mode, options]) {
      if (globalThis.isDiskFull && mode === 'readwrite') throw new DOMException('No more room', 'QuotaExceededError')
      return transaction.call(database, names, mode, options)
    },
  })`

story('an edit that a tab could not store before it died appears in the other tabs', async (stage) => {
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  await newChat(laptop.page, 'Diary')
  await synced(laptop.page)
  await laptop.context.addInitScript(fillableDisk)
  const tabs = await openTabs(laptop, 3)
  const leader = await tabs.leader()
  const [dying = leader, other = leader] = others(tabs.pages, leader)
  await dying.evaluate(`globalThis.isDiskFull = true`)
  await say(dying, 'Only ever in memory')
  const isNoted = () =>
    Object.values(localStorage).some((note) => String(note).includes('Only ever in memory'))
  await expect.poll(() => leader.evaluate(isNoted), moment).toBe(true)
  await crash(dying)
  await shown([leader, other], 'Only ever in memory')
  await agree([leader, other])
})

story('signing out in one tab signs out all tabs', async (stage) => {
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  await newChat(laptop.page, 'Diary')
  await synced(laptop.page)
  const tabs = await openTabs(laptop, 3)
  const { pages } = tabs
  const follower = others(pages, await tabs.leader())[0] ?? laptop.page
  // Another tab may be asking for the list of spaces as the session ends.
  laptop.expectErrors(/status of 401/)
  await signOut(follower)
  // One local space for all of them, in the place of hers.
  for (const page of pages) {
    await page.locator('[data-testid=sync-status][data-phase=local]').waitFor(moment)
    expect(await page.getByText('Diary').count()).toBe(0)
  }
  await signIn(pages[1] ?? laptop.page, anna)
  await agree(pages)
  await tabs.leader()
})

const seed = Number(process.env['TABS_SEED'] ?? 20_261_122)
// Of the ten tabs, the writer is not killed.
const kills = Math.min(9, Number(process.env['TABS_KILLS'] ?? 5))

story(
  `the leading one of ten tabs is killed again and again, and nothing is lost (seed ${seed})`,
  async (stage) => {
    const random = createRandom(seed)
    const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
    await newChat(laptop.page, 'Diary')
    await synced(laptop.page)
    const spaceId = await spaceOf(laptop.page)
    const tabs = await openTabs(laptop, 10)
    const phone = await openElsewhere(stage, anna, { spaceId, chat: 'Diary' })
    // The newest tab writes: older ones take the lead before it.
    const writer = tabs.pages.at(-1) ?? laptop.page
    let alive = tabs.pages
    async function killLeader(): Promise<void> {
      // Asked again each time: a takeover may be in progress.
      const leader = await tabs.leader()
      expect(leader).not.toBe(writer)
      alive = others(alive, leader)
      if (random.below(2) === 0) await leader.close()
      else await crash(leader)
    }
    const written: string[] = []
    let killing = Promise.resolve()
    for (let kill = 0; kill < kills; kill++) {
      // Not awaited, so that it happens somewhere among the writes.
      killing = killing.then(killLeader)
      for (let lines = 1 + random.below(5); lines > 0; lines--) {
        const text = `${written.length + 1}: ${random.below(1_000_000)}`
        written.push(text)
        await say(writer, text)
      }
    }
    await killing
    await agree([...alive, phone.page])
    expect(alive).toHaveLength(10 - kills)
    for (const page of [...alive, phone.page])
      await expect.poll(() => messages(page), moment).toEqual(written)
    await stage.shot(phone, 'after all of them')
  },
)
