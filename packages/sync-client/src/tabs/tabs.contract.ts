import type { Tabs } from './tabs.ts'

/**
 * What every implementation of `Tabs` with more than one tab does. The cases need no test runner: they run under
 * vitest on the group in one process and on Web Locks, and in the pages of a browser.
 */
export interface TabsCase {
  readonly name: string
  readonly run: (group: { tab(): Tabs }) => Promise<void>
}

const deadlineMs = 20_000

function noLateAnswer(): void {
  throw new Error('a tab answered late')
}

function noLoss(): void {
  throw new Error('nobody took the lead')
}

/** A list of what happened, in order. `until` waits until it has so many entries. */
function createRecord<Entry>() {
  const entries: Entry[] = []
  const waiting = new Set<() => void>()
  return {
    entries,
    add(entry: Entry): void {
      entries.push(entry)
      for (const check of waiting) check()
    },
    async until(count: number): Promise<void> {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const check = (): void => void (entries.length >= count && resolve())
      const timer = setTimeout(
        () => reject(new Error(`${count} were to come, but: ${JSON.stringify(entries)}`)),
        deadlineMs,
      )
      waiting.add(check)
      check()
      await promise.finally(() => {
        clearTimeout(timer)
        waiting.delete(check)
      })
    },
  }
}

function equal(actual: unknown, expected: unknown, what: string): void {
  const [got, wanted] = [JSON.stringify(actual), JSON.stringify(expected)]
  if (got !== wanted) throw new Error(`${what}: ${got}, not ${wanted}`)
}

/** Resolves when everything that two tabs have posted has arrived: a message there and back comes after it. */
async function settled(one: Tabs, other: Tabs): Promise<void> {
  const heard = createRecord<unknown>()
  const word = `settled ${Math.random()}`
  other.onMessage((message) => void (message === word && other.post(`${word}, back`)))
  one.onMessage((message) => void (message === `${word}, back` && heard.add(message)))
  one.post(word)
  await heard.until(1)
}

export const tabsCases: readonly TabsCase[] = [
  {
    name: 'one tab leads at a time, in the order in which they asked, and the next when it closes',
    async run(group) {
      const leaders = createRecord<string>()
      const tabs = ['a', 'b', 'c'].map((name) => {
        const tab = group.tab()
        tab.lead(() => leaders.add(name), noLoss)
        return { name, tab }
      })
      await leaders.until(1)
      for (const { tab } of tabs) {
        await tab.exclusive(async () => {})
      }
      equal(leaders.entries, ['a'], 'who leads')
      tabs[0]?.tab.close()
      await leaders.until(2)
      tabs[1]?.tab.close()
      await leaders.until(3)
      equal(leaders.entries, ['a', 'b', 'c'], 'who led')
      tabs[2]?.tab.close()
    },
  },
  {
    name: 'a tab that closes before its turn never leads, and delays no other',
    async run(group) {
      const leaders = createRecord<string>()
      const [a, b, c, late] = [group.tab(), group.tab(), group.tab(), group.tab()]
      a.lead(() => leaders.add('a'), noLoss)
      b.lead(() => leaders.add('b'), noLoss)
      c.lead(() => leaders.add('c'), noLoss)
      await leaders.until(1)
      late.close()
      late.lead(() => leaders.add('late'), noLoss)
      b.close()
      a.close()
      await leaders.until(2)
      equal(leaders.entries, ['a', 'c'], 'who led')
      c.close()
      const next = group.tab()
      next.lead(() => leaders.add('next'), noLoss)
      await leaders.until(3)
      equal(leaders.entries, ['a', 'c', 'next'], 'who led in the end')
      next.close()
    },
  },
  {
    name: 'a tab that closes at the moment it begins to lead leaves the lead to the next',
    async run(group) {
      const leaders = createRecord<string>()
      const [a, b] = [group.tab(), group.tab()]
      a.lead(() => {
        leaders.add('a')
        a.close()
      }, noLoss)
      b.lead(() => leaders.add('b'), noLoss)
      await leaders.until(2)
      equal(leaders.entries, ['a', 'b'], 'who led')
      b.close()
    },
  },
  {
    name: 'a tab that takes the lead has it at once; the one before is told, and waits in line again',
    async run(group) {
      const heard = createRecord<string>()
      const tabs = ['a', 'b', 'c'].map((name) => {
        const tab = group.tab()
        tab.lead(
          () => heard.add(`${name} leads`),
          () => heard.add(`${name} leads no more`),
        )
        return tab
      })
      const [a, b, c] = [tabs[0]!, tabs[1]!, tabs[2]!]
      await heard.until(1)
      c.takeLead()
      await heard.until(3)
      equal(heard.entries.toSorted(), ['a leads', 'a leads no more', 'c leads'], 'who led')
      // Who leads has nothing to take, and who is closed takes nothing.
      c.takeLead()
      await c.exclusive(async () => {})
      await settled(a, b)
      equal(heard.entries.length, 3, 'what was heard')
      c.close()
      await heard.until(4)
      c.takeLead()
      b.close()
      await heard.until(5)
      equal(heard.entries.slice(3), ['b leads', 'a leads'], 'who led then')
      a.close()
    },
  },
  {
    name: 'of two tabs that take the lead at the same time, one has it in the end',
    async run(group) {
      const leading = new Set<string>()
      const changes = createRecord<string>()
      const tabs = ['a', 'b', 'c'].map((name) => {
        const tab = group.tab()
        tab.lead(
          () => {
            leading.add(name)
            changes.add(name)
          },
          () => {
            leading.delete(name)
            changes.add(`not ${name}`)
          },
        )
        return tab
      })
      await changes.until(1)
      tabs[1]!.takeLead()
      tabs[2]!.takeLead()
      await changes.until(3)
      await settled(tabs[1]!, tabs[2]!)
      await settled(tabs[0]!, tabs[1]!)
      equal(leading.size, 1, 'how many lead')
      for (const tab of tabs) tab.close()
    },
  },
  {
    name: 'each tab receives the messages of all others, in order and as copies, and not its own',
    async run(group) {
      const [a, b, c] = [group.tab(), group.tab(), group.tab()]
      const heard = { a: createRecord<unknown>(), b: createRecord<unknown>(), c: createRecord<unknown>() }
      a.onMessage((message) => heard.a.add(message))
      b.onMessage((message) => heard.b.add(message))
      c.onMessage((message) => heard.c.add(message))
      const said = { count: 1, bytes: new Uint8Array([1, 2]) }
      a.post(said)
      said.count = 2
      a.post('two')
      await Promise.all([heard.b.until(2), heard.c.until(2)])
      b.post('three')
      await Promise.all([heard.a.until(1), heard.c.until(3)])
      const first = { count: 1, bytes: new Uint8Array([1, 2]) }
      equal(heard.a.entries, ['three'], 'what a heard')
      equal(heard.b.entries, [first, 'two'], 'what b heard')
      equal(heard.c.entries, [first, 'two', 'three'], 'what c heard')
      const [copy] = heard.b.entries
      const hasBytes = typeof copy === 'object' && copy !== null && 'bytes' in copy
      equal(hasBytes && copy.bytes instanceof Uint8Array, true, 'bytes arrive as bytes')
      for (const tab of [a, b, c]) tab.close()
    },
  },
  {
    name: 'a closed tab receives nothing, and its messages reach no one',
    async run(group) {
      const [a, b, c] = [group.tab(), group.tab(), group.tab()]
      const heard = createRecord<unknown>()
      a.onMessage((message) => heard.add(['a', message]))
      b.onMessage((message) => heard.add(['b', message]))
      a.close()
      a.post('from the closed one')
      c.post('to the others')
      await heard.until(1)
      await settled(b, c)
      equal(heard.entries[0], ['b', 'to the others'], 'what b heard')
      equal(
        heard.entries.some((entry) => JSON.stringify(entry).includes('closed')),
        false,
        'a closed tab speaks',
      )
      equal(
        heard.entries.some((entry) => JSON.stringify(entry).startsWith('["a"')),
        false,
        'a closed tab hears',
      )
      a.close()
      for (const tab of [b, c]) tab.close()
    },
  },
  {
    name: 'exclusive tasks never overlap, in whichever tab, and a failed one delays no other',
    async run(group) {
      const tabs = [group.tab(), group.tab(), group.tab()]
      const running = { now: 0, most: 0, ran: 0 }
      const task = async (): Promise<number> => {
        running.most = Math.max(running.most, ++running.now)
        // As a request would, it takes many turns of the event loop.
        await settled(tabs[1]!, tabs[2]!)
        running.now--
        return ++running.ran
      }
      const failing = tabs.map((tab) => tab.exclusive(() => Promise.reject(new Error('one fails'))))
      const results = tabs.flatMap((tab) => [tab.exclusive(task), tab.exclusive(task)])
      const failures = await Promise.allSettled(failing)
      equal(
        failures.map((outcome) => outcome.status),
        ['rejected', 'rejected', 'rejected'],
        'who asked for a task that fails',
      )
      const ran = await Promise.all(results)
      equal(
        ran.toSorted((a, b) => a - b),
        [1, 2, 3, 4, 5, 6],
        'what the tasks gave back',
      )
      equal(running.most, 1, 'tasks at a time')
      for (const tab of tabs) tab.close()
    },
  },
  {
    name: 'a tab is alone until another joins, and again once it is the last',
    async run(group) {
      const a = group.tab()
      await a.join(noLateAnswer)
      equal(a.alone, true, 'a is alone at first')
      const b = group.tab()
      await b.join(noLateAnswer)
      equal([a.alone, b.alone], [false, false], 'who is alone, of two')
      const c = group.tab()
      await c.join(noLateAnswer)
      a.close()
      const gone = createRecord<string>()
      b.watch(a.id, () => gone.add('a'))
      c.watch(a.id, () => gone.add('a'))
      await gone.until(2)
      equal([b.alone, c.alone], [false, false], 'who is alone, of the two that are left')
      b.close()
      c.watch(b.id, () => gone.add('b'))
      await gone.until(3)
      equal(c.alone, true, 'c is alone in the end')
      c.close()
    },
  },
  {
    name: 'tabs that join at the same time all know that they are not alone',
    async run(group) {
      const tabs = [group.tab(), group.tab(), group.tab()]
      await Promise.all(tabs.map((tab) => tab.join(noLateAnswer)))
      equal(
        tabs.map(({ alone }) => alone),
        [false, false, false],
        'who is alone',
      )
      for (const tab of tabs) tab.close()
    },
  },
  {
    name: 'a tab that watches another is told once that it is gone, even if it was gone before',
    async run(group) {
      const [a, b, c] = [group.tab(), group.tab(), group.tab()]
      equal(new Set([a.id, b.id, c.id]).size, 3, 'names of tabs')
      await settled(a, b)
      const gone = createRecord<string>()
      a.watch(b.id, () => gone.add('b'))
      a.watch(c.id, () => gone.add('c'))
      await settled(a, b)
      equal(gone.entries, [], 'who is gone while all are there')
      b.close()
      await gone.until(1)
      await settled(a, c)
      equal(gone.entries, ['b'], 'who is gone')
      a.watch(b.id, () => gone.add('b again'))
      await gone.until(2)
      equal(gone.entries, ['b', 'b again'], 'who is gone, asked later')
      a.close()
      c.close()
    },
  },
]
