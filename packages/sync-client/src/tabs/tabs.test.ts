import { randomHexId, spaceIdSchema } from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import { op } from '../machine/testing/machine-world.ts'
import { createManualTime, turns } from '../runtime/testing/manual-time.ts'
import { browserTabs } from './browser-tabs.ts'
import { type ChannelLocks, createChannelLocks } from './channel-locks.ts'
import { oneTabAtATime } from './one-tab-at-a-time.ts'
import { createTabGroup } from './tab-group.ts'
import type { TabLocks } from './tab-locks.ts'
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

/** What the tabs of an origin share without Web Locks. */
function plainHttpOrigin(name: string) {
  const listed = new Map<string, string>()
  const registry = {
    get length() {
      return listed.size
    },
    key: (index: number) => [...listed.keys()][index] ?? null,
    getItem: (key: string) => listed.get(key) ?? null,
    setItem: (key: string, value: string) => void listed.set(key, value),
    removeItem: (key: string) => void listed.delete(key),
  }
  const pages: ChannelLocks[] = []
  return {
    listed,
    registry,
    page(id = randomHexId()): ChannelLocks {
      // Also how long a look at the locks waits for answers: a busy machine stands still for a part of that.
      const locks = createChannelLocks(`${name}-locks`, { id, registry, askAgainMs: 250 })
      pages.push(locks)
      return locks
    },
    [Symbol.dispose]: () => {
      for (const page of pages) page.close()
    },
  }
}

describe('Tabs over a BroadcastChannel alone, as over plain HTTP', () => {
  it.each(tabsCases)('$name, and nothing is held afterwards', async (tabsCase) => {
    const channels = openChannels()
    {
      using origin = plainHttpOrigin(tabsCase.name)
      const group = { tab: () => browserTabs(tabsCase.name, origin.page()) }
      await expect(tabsCase.run(group)).resolves.toBeUndefined()
      const last = origin.page()
      await expect.poll(() => last.query()).toEqual({ held: [] })
    }
    await expect.poll(openChannels).toBe(channels)
  })

  it('hand a lock on when its tab goes, or says nothing any more', async () => {
    using origin = plainHttpOrigin('crash')
    const [dying, other, third] = [origin.page(), origin.page(), origin.page()]
    const held = Promise.withResolvers<void>()
    void dying.request('lead', waitForever(), () => (held.resolve(), new Promise(() => {})))
    await held.promise
    const next = other.request('lead', waitForever(), async () => 'other')
    const last = third.request('lead', waitForever(), async () => 'third')
    expect(await other.query()).toEqual({ held: [{ name: 'lead' }] })
    dying.close()
    expect(await Promise.all([next, last])).toEqual(['other', 'third'])

    // A tab that crashed is still listed, and answers nothing.
    origin.registry.setItem('crash-locks:crashed', '')
    expect(await other.request('lead', waitForever(), async () => 'after the crash')).toBe('after the crash')
    expect([...origin.listed.keys()]).not.toContain('crash-locks:crashed')
  })

  it('never hold one lock at the same time, however many ask at once', async () => {
    using origin = plainHttpOrigin('crowd')
    const pages = Array.from({ length: 6 }, () => origin.page())
    const running = { now: 0, most: 0, ran: 0 }
    const task = async (): Promise<void> => {
      running.most = Math.max(running.most, ++running.now)
      await new Promise((resolve) => setTimeout(resolve))
      running.now--
      running.ran++
    }
    const asked = Array.from({ length: 10 }, () =>
      pages.map((page) => page.request('one', waitForever(), task)),
    )
    await Promise.all(asked.flat())
    expect(running).toEqual({ now: 0, most: 1, ran: 60 })
  })

  it('give up what they held when they wake and the others went on without them', async () => {
    using origin = plainHttpOrigin('frozen')
    const frozen = origin.page('frozen')
    const held = Promise.withResolvers<void>()
    const holding = frozen.request('lead', waitForever(), () => (held.resolve(), new Promise(() => {})))
    await held.promise
    const channel = new BroadcastChannel('frozen-locks')
    channel.postMessage({ type: 'gone', from: 'another', tab: 'frozen' })
    channel.close()
    await expect(holding).rejects.toMatchObject({ name: 'AbortError' })
    expect([...origin.listed.keys()]).toContain('frozen-locks:frozen')
    expect(await frozen.request('lead', waitForever(), async () => 'again')).toBe('again')
  })
})

describe('A tab that the others took to be gone', () => {
  it('is there again, and they are told only once it really goes', async () => {
    using origin = plainHttpOrigin('woken')
    const woken = browserTabs('woken', origin.page('page-of-woken'))
    const other = browserTabs('woken', origin.page())
    await Promise.all([woken.join(() => {}), other.join(() => {})])
    const channel = new BroadcastChannel('woken-locks')
    channel.postMessage({ type: 'gone', from: 'another', tab: 'page-of-woken' })
    channel.close()
    const locks = origin.page()
    const all = [{ name: `woken-tab-${other.id}` }, { name: `woken-tab-${woken.id}` }]
    await expect.poll(() => locks.query()).toEqual({ held: expect.arrayContaining(all) })
    const gone: string[] = []
    other.watch(woken.id, () => gone.push('woken'))
    await locks.query()
    expect(gone).toEqual([])
    woken.close()
    await expect.poll(() => gone).toEqual(['woken'])
    other.close()
  })
})

const waitForever = () => ({ signal: new AbortController().signal })

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

describe('A tab whose locks the browser refuses', () => {
  /** Web Locks that refuse every request, as `refusal` says, and note when they were asked for which. */
  function refusingLocks(name: string, refusal: TabLocks['request']) {
    const time = createManualTime()
    const asked: { lock: string; at: number }[] = []
    const start = time.now()
    const locks: TabLocks = {
      request(lock, how, granted) {
        asked.push({ lock: lock.endsWith('-lead') ? 'lead' : 'own', at: time.now() - start })
        return refusal(lock, how, granted)
      },
      query: async () => ({ held: [] }),
    }
    return { time, asked, tab: browserTabs(name, locks, time) }
  }
  const lead = { onLead: () => {}, onLost: () => {} }
  const timesOf = (asked: { lock: string; at: number }[], of: string) =>
    asked.filter(({ lock }) => lock === of).map(({ at }) => at)

  const refusals: { how: string; refusal: TabLocks['request']; times: number[] }[] = [
    {
      how: 'because the page goes',
      refusal: () => Promise.reject(new DOMException('The page is going away', 'InvalidStateError')),
      times: [0, 50, 150, 350, 750, 1_550, 3_150, 5_650, 8_150],
    },
    {
      how: 'by giving up the wait',
      refusal: () => Promise.reject(new DOMException('The request was given up', 'AbortError')),
      times: [0, 50, 150, 350, 750, 1_550, 3_150, 5_650, 8_150],
    },
    {
      how: 'right after each grant',
      refusal: async (_lock, _how, granted) => {
        void granted()
        throw new DOMException('The lock was stolen', 'AbortError')
      },
      // A lock that another tab took is asked for at once, but only once.
      times: [0, 0, 100, 300, 700, 1_500, 3_100, 5_600, 8_100],
    },
  ]
  it.each(refusals)(
    'asks again after pauses that grow, when they are refused $how',
    async ({ how, refusal, times }) => {
      const { time, asked, tab } = refusingLocks(how, refusal)
      tab.lead(lead.onLead, lead.onLost)
      await time.pass(10_000)
      expect(timesOf(asked, 'lead')).toEqual(times)
      expect(timesOf(asked, 'own')).toEqual(times)
      const before = asked.length
      tab.close()
      expect(time.waiting).toEqual([])
      await time.pass(60_000)
      expect(asked).toHaveLength(before)
    },
  )

  it('does not stand in line a second time when it takes the lead during a pause', async () => {
    const { time, asked, tab } = refusingLocks('takes during a pause', async (_lock, how) => {
      if (!('steal' in how)) throw new DOMException('The page is going away', 'InvalidStateError')
      return new Promise(() => {})
    })
    tab.lead(lead.onLead, lead.onLost)
    await turns()
    tab.takeLead()
    await time.pass(10_000)
    expect(timesOf(asked, 'lead')).toEqual([0, 0])
    tab.close()
  })

  it('runs a task without a lock, except in a page that goes', async () => {
    const refuse = (error: string): TabLocks => ({
      request: async () => {
        throw new DOMException('no', error)
      },
      query: async () => ({ held: [] }),
    })
    expect(await oneTabAtATime('one', async () => 'ran', refuse('SecurityError'))).toBe('ran')
    await expect(oneTabAtATime('one', async () => 'ran', refuse('InvalidStateError'))).rejects.toMatchObject({
      name: 'InvalidStateError',
    })
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

  it('leaves out operations that no batch takes, as an old t69 stored them', async () => {
    const group = createTabGroup()
    const [a, b] = [group.tab(), group.tab()]
    const heard: TabMessage[] = []
    createTabLine(b).onMessage((message) => heard.push(message))
    createTabLine(a).send({
      type: 'received',
      spaceId,
      ops: [op(1), Object.assign(op(2), { value: NaN }), op(3)],
    })
    await turns()
    expect(heard).toEqual([{ type: 'received', spaceId, ops: [op(1), op(3)] }])
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
