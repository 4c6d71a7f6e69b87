import type { Ack, RequestName, RequestReply, SpaceId, SpaceSummary } from '@t69/protocol'
import { expect, it } from 'vitest'

import type { Link } from '../link/index.ts'
import { enterSpace } from './enter-space.ts'

type JoinAck = Ack<RequestReply<'space:join'>>

const spaceId = 'a'.repeat(32) as SpaceId
const joined = {
  ok: true,
  identity: 'b'.repeat(32),
  role: 'viewer',
  logId: 'c'.repeat(32),
  epoch: 'd'.repeat(32),
  cursor: 0,
  head: 7,
} as JoinAck
const described = { ...joined, space: { name: 'Notes', createdAt: 5 } } as JoinAck

/** A link that keeps what is asked, for the test to answer. */
function setUp() {
  const asked: {
    readonly name: RequestName
    readonly payload: object
    readonly answer: (ack: JoinAck) => void
  }[] = []
  const signals: string[] = []
  const link: Link = {
    request: (name, payload, answered) => void asked.push({ name, payload, answer: (ack) => answered(ack) }),
    signal: (name) => void signals.push(name),
  }
  return { link, asked, signals, names: () => asked.map(({ name }) => name) }
}

it('[JO10] hands over what the server says, and a link on which the space is joined already', async () => {
  const { link, asked, signals, names } = setUp()
  let taken: { readonly space: SpaceSummary; readonly link: Link } | undefined
  const entering = enterSpace(spaceId, link, (space, joinedLink) => {
    taken = { space, link: joinedLink }
    return true
  })
  expect(asked).toMatchObject([{ name: 'space:join', payload: { spaceId, page: {}, describe: true } }])
  asked[0]!.answer(described)
  // In the turn of the reply: what follows it is not missed.
  expect(taken?.space).toEqual({
    id: spaceId,
    identity: 'b'.repeat(32),
    role: 'viewer',
    name: 'Notes',
    createdAt: 5,
  })
  expect(await entering).toBe('entered')

  const answers: unknown[] = []
  taken!.link.request('space:join', { spaceId }, (ack) => answers.push(ack))
  expect(answers).toEqual([described])
  expect(names()).toEqual(['space:join'])
  taken!.link.request('space:join', { spaceId }, (ack) => answers.push(ack))
  taken!.link.request('ops:pull', { spaceId, after: 0 }, (ack) => answers.push(ack))
  taken!.link.signal('presence:set', { spaceId, state: null })
  expect(answers).toHaveLength(1)
  expect(names()).toEqual(['space:join', 'space:join', 'ops:pull'])
  expect(signals).toEqual(['presence:set'])
})

it('[JO10] rejects a space that is not there, and leaves it to the caller to ask about one that is refused', async () => {
  const { link, asked, names } = setUp()
  const taken = (): boolean => expect.unreachable('nothing is to be taken')
  const none = enterSpace(spaceId, link, taken)
  asked[0]!.answer({ ok: false, error: { code: 'not_found', message: 'there is no such space' } })
  await expect(none).rejects.toMatchObject({ code: 'not_found' })
  const failing = enterSpace(spaceId, link, taken)
  asked[1]!.answer({ ok: false, error: { code: 'storage_failed', message: 'the disk fails' } })
  expect(await failing).toBe('refused')
  expect(names()).toEqual(['space:join', 'space:join'])
})

it('[JO10] leaves a space that a server of an earlier version does not describe, or that is not taken', async () => {
  const { link, asked, names } = setUp()
  const early = enterSpace(spaceId, link, () => expect.unreachable('nothing is to be taken'))
  asked[0]!.answer(joined)
  expect(await early).toBe('undescribed')
  const late = enterSpace(spaceId, link, () => false)
  asked[2]!.answer(described)
  expect(await late).toBe('refused')
  const failing = enterSpace(spaceId, link, () => {
    throw new Error('somebody else is signed in')
  })
  asked[4]!.answer(described)
  await expect(failing).rejects.toThrow('somebody else is signed in')
  expect(names()).toEqual([
    'space:join',
    'space:leave',
    'space:join',
    'space:leave',
    'space:join',
    'space:leave',
  ])
})
