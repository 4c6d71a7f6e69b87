import { spaceIdSchema } from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import { createTabLine, type TabMessage } from './tab-messages.ts'
import { createTabGroup, soloTabs } from './tabs.ts'
import { op } from './testing/machine-world.ts'
import { turns } from './testing/manual-time.ts'

describe('Of the tabs of a browser', () => {
  it('one leads at a time, and the next when it goes', async () => {
    const group = createTabGroup()
    const leaders: string[] = []
    const tabs = ['a', 'b', 'c'].map((name) => {
      const tab = group.tab()
      tab.lead(() => leaders.push(name))
      return tab
    })
    await turns()
    expect(leaders).toEqual(['a'])
    tabs[1]!.close()
    await turns()
    expect(leaders).toEqual(['a'])
    tabs[0]!.close()
    await turns()
    expect(leaders).toEqual(['a', 'c'])
  })

  it('each hears the others and not itself, in order', async () => {
    const group = createTabGroup()
    const [a, b] = [group.tab(), group.tab()]
    const heard: unknown[] = []
    a.onMessage((message) => heard.push(['a', message]))
    b.onMessage((message) => heard.push(['b', message]))
    a.post(1)
    a.post(2)
    b.post(3)
    await turns()
    expect(heard).toEqual([
      ['b', 1],
      ['b', 2],
      ['a', 3],
    ])
  })

  it.each([soloTabs, () => createTabGroup().tab()])('one task runs at a time', async (make) => {
    const tabs = make()
    const running = { now: 0, most: 0 }
    const task = async (): Promise<void> => {
      running.most = Math.max(running.most, ++running.now)
      await turns()
      running.now--
    }
    const failing = tabs.exclusive(() => Promise.reject(new Error('one fails')))
    await Promise.all([
      tabs.exclusive(task),
      tabs.exclusive(task),
      expect(failing).rejects.toThrow('one fails'),
    ])
    expect(running.most).toBe(1)
  })
})

describe('What tabs tell each other', () => {
  const spaceId = spaceIdSchema.parse('aa'.repeat(16))

  it('comes as it was, operations as well', async () => {
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

  it('is dropped when it is of a release that says other things', async () => {
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
