import { describe, expect, it } from 'vitest'

import { createManualTime } from '../runtime/testing/manual-time.ts'
import { createLeaderWatch } from './leader-watch.ts'

function setUp() {
  const time = createManualTime()
  const calls: string[] = []
  const watch = createLeaderWatch(time, {
    ask: () => calls.push('asked'),
    onSilent: () => calls.push('silent'),
  })
  return { time, calls, watch }
}

describe('The leader watch', () => {
  it('asks twice before it reports that the leader is silent', async () => {
    const { time, calls, watch } = setUp()
    watch.expect()
    watch.expect()
    expect(calls).toEqual(['asked'])
    await time.pass(3_000)
    expect(calls).toEqual(['asked', 'asked'])
    await time.pass(2_999)
    expect(calls).toEqual(['asked', 'asked'])
    await time.pass(1)
    expect(calls).toEqual(['asked', 'asked', 'silent'])
    await time.pass(60_000)
    expect(calls).toHaveLength(3)
  })

  it('stops asking after an answer, and asks again when there is new work for the leader', async () => {
    const { time, calls, watch } = setUp()
    watch.expect()
    watch.heard()
    await time.pass(60_000)
    expect(calls).toEqual(['asked'])
    watch.expect()
    expect(calls).toEqual(['asked', 'asked'])
  })

  it('asks every few seconds while somebody looks at the tab', async () => {
    const { time, calls, watch } = setUp()
    watch.look()
    for (let round = 1; round <= 5; round++) {
      expect(calls).toEqual(Array.from({ length: round }, () => 'asked'))
      watch.heard()
      await time.pass(10_000)
    }
    watch.heard()
    watch.rest()
    await time.pass(60_000)
    expect(calls).toHaveLength(6)
  })

  it('reports nothing after it is stopped', async () => {
    const { time, calls, watch } = setUp()
    watch.look()
    watch.stop()
    await time.pass(60_000)
    expect(calls).toEqual(['asked'])
  })
})
