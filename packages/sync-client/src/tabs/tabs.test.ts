import { spaceIdSchema } from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import { op } from '../machine/testing/machine-world.ts'
import { turns } from '../runtime/testing/manual-time.ts'
import { browserTabs } from './browser-tabs.ts'
import { createTabGroup } from './tab-group.ts'
import { createTabLine, type TabMessage } from './tab-messages.ts'
import { tabsCases } from './tabs.contract.ts'
import { soloTabs } from './tabs.ts'

describe('Tabs in one process', () => {
  it.each(tabsCases)('$name', async (tabsCase) => {
    await expect(tabsCase.run(createTabGroup())).resolves.toBeUndefined()
  })
})

describe('Tabs over Web Locks and a BroadcastChannel', () => {
  // Node has both. One name a case, as one origin has it.
  it.each(tabsCases)('$name, and nothing is held afterwards', async (tabsCase) => {
    const channels = openChannels()
    await expect(tabsCase.run({ tab: () => browserTabs(tabsCase.name) })).resolves.toBeUndefined()
    await expect.poll(() => locksOf(tabsCase.name)).toEqual([])
    await expect.poll(openChannels).toBe(channels)
  })
})

/** Node's, in a package that knows of browsers only. */
declare const process: { getActiveResourcesInfo(): string[] }

const openChannels = (): number =>
  process.getActiveResourcesInfo().filter((resource) => resource === 'MessagePort').length

async function locksOf(name: string): Promise<(string | undefined)[]> {
  const { held = [], pending = [] } = await navigator.locks.query()
  return [...held, ...pending].map((lock) => lock.name).filter((lock) => lock?.startsWith(name))
}

describe('A tab in a browser', () => {
  it('is not alone once it hears a tab that never joined, as those of older releases do not', async () => {
    const tab = browserTabs('older-release')
    await tab.join(() => {})
    expect(tab.alone).toBe(true)
    const heard: unknown[] = []
    tab.onMessage((message) => heard.push(message))
    const older = browserTabs('older-release')
    older.post({ type: 'leader-asked' })
    await expect.poll(() => heard.length).toBe(1)
    expect(tab.alone).toBe(false)
    older.close()
    await expect.poll(() => tab.alone).toBe(true)
    tab.close()
  })

  it('is told of a tab that answers only after it stopped waiting', async () => {
    const lock = Promise.withResolvers<void>()
    const name = 'late-answer'
    // A tab that lives, by its lock, and is too busy to answer.
    void navigator.locks.request(`${name}-tab-busy`, () => lock.promise)
    const tab = browserTabs(name)
    const late = Promise.withResolvers<void>()
    await tab.join(late.resolve)
    expect(tab.alone).toBe(false)
    const channel = new BroadcastChannel(`${name}-join`)
    channel.postMessage({ from: 'busy', to: tab.id })
    await late.promise
    lock.resolve()
    await expect.poll(() => tab.alone).toBe(true)
    channel.close()
    tab.close()
  })
})

describe('A client without other tabs', () => {
  it('leads at once, and runs one task at a time', async () => {
    const tab = soloTabs()
    let leads = false
    tab.lead(
      () => (leads = true),
      () => {},
    )
    expect(leads).toBe(true)
    const running = { now: 0, most: 0 }
    const task = async (): Promise<void> => {
      running.most = Math.max(running.most, ++running.now)
      await turns()
      running.now--
    }
    const failing = tab.exclusive(() => Promise.reject(new Error('one fails')))
    await Promise.all([
      tab.exclusive(task),
      tab.exclusive(task),
      expect(failing).rejects.toThrow('one fails'),
    ])
    expect(running.most).toBe(1)
  })
})

describe('A message between tabs', () => {
  const spaceId = spaceIdSchema.parse('aa'.repeat(16))

  it('arrives unchanged, operations included', async () => {
    const group = createTabGroup()
    const [a, b] = [group.tab(), group.tab()]
    const heard: TabMessage[] = []
    createTabLine(b).onMessage((message) => heard.push(message))
    const sent: TabMessage[] = [
      { type: 'edited', spaceId, ops: [op(1), op(2)] },
      { type: 'opened', tab: 'a', spaceIds: [spaceId] },
      { type: 'settled', spaceId },
    ]
    for (const message of sent) createTabLine(a).send(message)
    await turns()
    expect(heard).toEqual(sent)
  })

  it('is not serialised while there is no other tab', async () => {
    const group = createTabGroup()
    const a = group.tab()
    const posted: unknown[] = []
    const line = createTabLine({
      ...a,
      get alone() {
        return a.alone
      },
      post: (message) => posted.push(message),
    })
    line.send({ type: 'edited', spaceId, ops: [op(1)] })
    expect(posted).toEqual([])
    group.tab()
    line.send({ type: 'edited', spaceId, ops: [op(2)] })
    expect(posted).toHaveLength(1)
  })

  it('is dropped when it comes from a release with other messages', async () => {
    const group = createTabGroup()
    const [a, b] = [group.tab(), group.tab()]
    const heard: TabMessage[] = []
    createTabLine(b).onMessage((message) => heard.push(message))
    for (const odd of [null, 7, { type: 'sang' }, { type: 'edited', spaceId, ops: [new Uint8Array(3)] }])
      a.post(odd)
    await turns()
    expect(heard).toEqual([])
  })
})
