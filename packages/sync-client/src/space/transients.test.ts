import {
  limits,
  peerIdSchema,
  signals,
  spaceIdSchema,
  treeIdSchema,
  vertexIdSchema,
  type JsonValue,
  type PropertyOperation,
  type TransientChange,
} from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import { createManualTime } from '../runtime/testing/manual-time.ts'
import { createTransientReceiver } from './transient-receiver.ts'
import { createTransientSender } from './transient-sender.ts'

const treeId = treeIdSchema.parse('tree')
const where = { treeId, targetId: 'message', key: 'text' }
const opId = { clock: 10, peerId: '7' }
const stored = (clock: number, peer = '7'): PropertyOperation => ({
  ...where,
  targetId: vertexIdSchema.parse(where.targetId),
  spaceId: spaceIdSchema.parse('a1'.repeat(16)),
  clock,
  peerId: peerIdSchema.parse(peer),
  value: 'stored',
})

/** A sender and a receiver, with a record of everything that was sent. */
function setUp() {
  const time = createManualTime()
  const sent: TransientChange[] = []
  const shown = new Map<string, JsonValue | undefined>()
  const receiver = createTransientReceiver(
    ({ targetId, key }, value) => void shown.set(`${targetId}.${key}`, value),
  )
  let isHeard = true
  const sender = createTransientSender(time, (changes) => {
    sent.push(...changes)
    if (isHeard) receiver.apply('her', changes)
  })
  const set = (value: JsonValue | undefined) => sender.set({ ...where, value, opId })
  const hear = (heard: boolean) => (isHeard = heard)
  return { time, sent, shown, receiver, sender, set, hear, text: () => shown.get('message.text') }
}

describe('A text that grows', () => {
  it('[TR3] is sent as its added parts, and arrives whole', async () => {
    const { time, sent, set, text } = setUp()
    let reply = ''
    for (let chunk = 0; chunk < 300; chunk++) {
      reply += `word ${chunk} `
      set(reply)
      await time.pass(60)
    }
    expect(text()).toBe(reply)
    const bytes = JSON.stringify(sent.map(({ value }) => value)).length
    const wholes = sent.filter(({ offset }) => offset === undefined).length
    expect(wholes).toBeLessThan(6)
    expect(bytes).toBeLessThan(reply.length * (wholes + 2))
  })

  it('is sent at most once in 50 ms, with its latest value', async () => {
    const { time, sent, set } = setUp()
    for (let length = 1; length <= 100; length++) set('x'.repeat(length))
    expect(sent).toEqual([])
    await time.pass(50)
    expect(sent).toMatchObject([{ value: 'x'.repeat(100) }])
  })

  it('[TR3] is not continued by a receiver that missed a part, until a whole value arrives', async () => {
    const { time, set, text, hear, sender } = setUp()
    set('one')
    await time.pass(60)
    hear(false)
    set('one two')
    await time.pass(60)
    hear(true)
    set('one two three')
    await time.pass(60)
    expect(text()).toBe('one')
    sender.repeatWhole()
    await time.pass(60)
    expect(text()).toBe('one two three')
  })

  it('is sent whole again every few seconds', async () => {
    const { time, set, sent } = setUp()
    set('a')
    await time.pass(6_000)
    set('ab')
    await time.pass(60)
    expect(sent.map(({ offset }) => offset)).toEqual([undefined, undefined])
  })

  it('[TR3] is never cut inside a character', async () => {
    const { time, set, sent, text } = setUp()
    set('smile \ud83d')
    await time.pass(60)
    set('smile \ud83d\ude00!')
    await time.pass(60)
    expect(sent.map(({ value }) => typeof value === 'string' && value.isWellFormed())).toEqual([true, true])
    expect(text()).toBe('smile \ud83d\ude00!')
  })

  it('is continued in parts when it is too long to be sent whole', async () => {
    const { time, set, sent, text } = setUp()
    let reply = ''
    for (let chunk = 0; chunk < 30; chunk++) {
      reply += 'y'.repeat(5_000)
      set(reply)
      await time.pass(1_000)
    }
    expect(text()).toBe(reply)
    for (const { value } of sent) expect(JSON.stringify(value).length).toBeLessThan(65_536)
  })
})

describe('A transient value', () => {
  it('[TR4] disappears when it is removed', async () => {
    const { time, set, text, sent } = setUp()
    set(1)
    await time.pass(60)
    expect(text()).toBe(1)
    set(undefined)
    await time.pass(60)
    expect(sent.at(-1)).not.toHaveProperty('value')
    expect(text()).toBeUndefined()
  })

  it('is not sent once a stored value has taken its place', async () => {
    const { time, set, sent, sender } = setUp()
    set('draft')
    sender.stored(stored(11))
    await time.pass(10_000)
    expect(sent).toEqual([])
  })

  it('is not sent to whoever comes later once somebody else has stored a later value', async () => {
    const { time, set, sent, sender } = setUp()
    set('draft')
    await time.pass(60)
    sender.merged(stored(9, '8'))
    sender.repeatWhole()
    await time.pass(60)
    expect(sent).toHaveLength(2)
    sender.merged(stored(10, '8'))
    sender.repeatWhole()
    await time.pass(60)
    expect(sent).toHaveLength(2)
  })

  it('is shown again when its tree is opened later, until a stored value takes its place', async () => {
    const { time, set, shown, text, receiver } = setUp()
    set('half a rep')
    await time.pass(60)
    shown.clear()
    receiver.showAgain(treeIdSchema.parse('other'))
    expect(text()).toBeUndefined()
    receiver.showAgain(treeId)
    expect(text()).toBe('half a rep')
    receiver.stored(stored(11))
    shown.clear()
    receiver.showAgain(treeId)
    expect(text()).toBeUndefined()
  })

  it('[TR5] stays when its peer stored an older value, and gives way to any value of another peer', async () => {
    const { time, set, text, receiver, shown } = setUp()
    const again = (): JsonValue | undefined => {
      shown.clear()
      receiver.showAgain(treeId)
      return text()
    }
    set('half a rep')
    await time.pass(60)
    receiver.stored(stored(9))
    set('half a reply')
    await time.pass(60)
    expect(again()).toBe('half a reply')
    receiver.stored(stored(9, '8'))
    expect(again()).toBeUndefined()
  })

  it('disappears with the connection that sent it', async () => {
    const { time, set, text, receiver } = setUp()
    set('half a rep')
    await time.pass(60)
    receiver.keepOnly(() => false)
    expect(text()).toBeUndefined()
  })
})

it('a receiver holds a bounded amount of one sender, in any number of pieces, and keeps that of others', () => {
  const shown = new Map<string, JsonValue>()
  const receiver = createTransientReceiver(({ targetId }, value) => {
    if (value === undefined) shown.delete(targetId)
    else shown.set(targetId, value)
  })
  const change = (targetId: string, value: string, offset?: number): TransientChange => ({
    ...where,
    targetId: vertexIdSchema.parse(targetId),
    value,
    ...(offset !== undefined && { offset }),
  })
  const held = (): number => {
    let length = 0
    for (const value of shown.values()) length += typeof value === 'string' ? value.length : 0
    return length
  }
  const piece = 'x'.repeat(60_000)
  receiver.apply('her', [change('hers', 'half a reply')])
  for (let index = 0; index < 500; index++) receiver.apply('mallory', [change(`none${index}`, piece)])
  expect(held()).toBeLessThan(5 * limits.maxValueBytes)
  expect(shown.get('none499')).toBe(piece)
  for (let index = 0; index < 500; index++) {
    const offset = index === 0 ? undefined : index * piece.length
    receiver.apply('mallory', [change('grows', piece, offset)])
  }
  expect(held()).toBeLessThan(5 * limits.maxValueBytes)
  expect(shown.get('hers')).toBe('half a reply')
  receiver.keepOnly((from) => from === 'her')
  expect([...shown.keys()]).toEqual(['hers'])
})

it('a receiver holds a bounded number of values of one sender, and looks for the oldest among those alone', () => {
  const shown = new Set<string>()
  const receiver = createTransientReceiver(({ targetId }, value) => {
    if (value === undefined) shown.delete(targetId)
    else shown.add(targetId)
  })
  const send = (from: string, count: number): void => {
    for (let nr = 0; nr < count; nr++) {
      const targetId = vertexIdSchema.parse(`${from}-${nr}`)
      receiver.apply(from, [{ ...where, targetId, value: '' }])
    }
  }
  for (let nr = 0; nr < 20; nr++) send(`other${nr}`, 9_000)
  send('mallory', 50_000)
  expect(shown.size).toBeGreaterThan(20 * 9_000)
  expect(shown.size).toBeLessThan(20 * 9_000 + 15_000)
})

it('[LI3] many changes at once are sent in messages within the limits', async () => {
  const time = createManualTime()
  const messages: (readonly TransientChange[])[] = []
  const sender = createTransientSender(time, (changes) => messages.push(changes))
  for (let index = 0; index < 250; index++)
    sender.set({ ...where, targetId: `small${index}`, value: index, opId })
  const large = 'x'.repeat(60_000)
  for (let index = 0; index < 10; index++)
    sender.set({ ...where, targetId: `large${index}`, value: large, opId })
  await time.pass(60)
  expect(messages.flat()).toHaveLength(260)
  for (const changes of messages) {
    expect(signals['ops:transient'].shape.changes.safeParse(changes).success).toBe(true)
    expect(JSON.stringify(changes).length).toBeLessThan(limits.maxMessageBytes)
  }
})
