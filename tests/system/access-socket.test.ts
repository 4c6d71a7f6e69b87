import {
  encodeBatch,
  protocolVersion,
  randomHexId,
  requests,
  signals,
  type LogId,
  type RequestName,
  type SignalName,
  type SpaceId,
  type SyncError,
} from '@t69/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { createCast, freshEdit, rootOf, signedIn, signedOut, type Cast, type SignedIn } from '../lib/cast.ts'
import { startLiveServer, type LiveServer } from '../lib/live-server.ts'
import { connectRaw, type RawSocket } from '../lib/raw-socket.ts'

/** Each event of the protocol against everybody whom the rules tell apart. An event without a row here fails. */

interface Asked {
  readonly spaceId: SpaceId
  readonly who: SignedIn
}

/** A member that has not joined is `outside`. A signal is `passed on` to the owner, or `dropped`. */
type Expected = Record<SignedIn | 'outside', string>

interface Row {
  readonly payload: (asked: Asked) => object
  readonly expected: Expected
}

const anybody = (outcome: string): Expected => ({
  stranger: outcome,
  removed: outcome,
  outside: outcome,
  viewer: outcome,
  editor: outcome,
  owner: outcome,
})

const notIn = { stranger: 'not_joined', removed: 'not_joined', outside: 'not_joined' }
const unheard = { stranger: 'dropped', removed: 'dropped', outside: 'dropped' }

const rows: Record<RequestName | SignalName, Row> = {
  'space:join': {
    payload: ({ spaceId }) => ({ spaceId }),
    expected: { ...anybody('ok'), stranger: 'not_found', removed: 'not_found' },
  },
  // Harmless for everybody: nobody can leave for somebody else.
  'space:leave': { payload: ({ spaceId }) => ({ spaceId }), expected: anybody('ok') },
  'ops:push': {
    payload: ({ spaceId }) => ({ spaceId, batch: freshEdit(spaceId).batch }),
    expected: { ...notIn, viewer: 'forbidden', editor: 'ok', owner: 'ok' },
  },
  'ops:pull': {
    payload: ({ spaceId }) => ({ spaceId, after: 0 }),
    expected: { ...notIn, viewer: 'ok', editor: 'ok', owner: 'ok' },
  },
  'tree:compare': {
    payload: ({ spaceId }) => ({ spaceId, treeId: spaceId, logId, cursor: 0, digest: '0'.repeat(32) }),
    expected: { ...notIn, viewer: 'ok', editor: 'ok', owner: 'ok' },
  },
  // With one's own token. With others': below.
  'auth:renew': { payload: ({ who }) => ({ token: cast.people[who].token }), expected: anybody('ok') },
  'ops:transient': {
    payload: ({ spaceId }) => ({
      spaceId,
      changes: [{ treeId: spaceId, targetId: spaceId, key: 'text', value: 'typing' }],
    }),
    expected: { ...unheard, viewer: 'dropped', editor: 'passed on', owner: 'passed on' },
  },
  'presence:set': {
    payload: ({ spaceId }) => ({ spaceId, state: { at: 'the door' } }),
    expected: { ...unheard, viewer: 'passed on', editor: 'passed on', owner: 'passed on' },
  },
  // For the server's log alone.
  'divergence:report': {
    payload: ({ spaceId }) => ({ spaceId, treeId: spaceId, logId, ...difference }),
    expected: anybody('dropped'),
  },
}

const difference = {
  cursor: 0,
  digest: '0'.repeat(32),
  rebuilt: '1'.repeat(32),
  source: 'replica',
  vertices: [],
  differing: 0,
}

const events = Object.entries(rows) as [RequestName | SignalName, Row][]

let server: LiveServer
let cast: Cast
let spaceId: SpaceId
let logId: LogId
/** The owner's, in the space: it hears what the space is told. */
let witness: RawSocket
beforeAll(async () => {
  server = await startLiveServer()
  cast = await createCast(server)
  spaceId = await cast.space()
  witness = cast.ownerSocket
  const joined = await witness.request('space:join', { spaceId })
  if (!joined.ok) throw new Error(joined.error.message)
  logId = joined.logId
  await witness.fence()
})
afterAll(async () => {
  await cast[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

function isRequest(name: string): name is RequestName {
  return name in requests
}

async function head(): Promise<number> {
  const ack = await witness.request('ops:pull', { spaceId, after: 0 })
  return ack.ok ? ack.head : -1
}

/** What the witness heard, but for the sockets of earlier tests going away. */
function newsSince(heard: number): object[] {
  return witness.heard.slice(heard).filter(({ payload }) => !JSON.stringify(payload).includes('"present":[]'))
}

test('every event of the protocol is in the table', () => {
  const names = [...Object.keys(requests), ...Object.keys(signals)]
  expect(Object.keys(rows).toSorted()).toEqual(names.toSorted())
})

describe.each(events)('%s', (name, { payload, expected }) => {
  test('[PU2] [PL3] [TR2] [JO2] each role gets what is theirs, and a refusal changes nothing', async () => {
    const outcomes: Partial<Expected> = {}
    for (const who of [...signedIn, 'outside'] as const) {
      const as = who === 'outside' ? 'editor' : who
      using socket = await connectRaw(server.url, cast.people[as].token)
      if (who !== 'outside') await socket.request('space:join', { spaceId })
      const before = await head()
      const heard = witness.heard.length
      const asked = { spaceId, who: as }
      if (isRequest(name)) outcomes[who] = await socket.outcomeOf(name, payload(asked))
      else socket.io.emit(name, payload(asked))
      await socket.fence()
      await witness.fence()
      const told = newsSince(heard)
      outcomes[who] ??= told.length > 0 ? 'passed on' : 'dropped'
      const isEdit = name === 'ops:push' && outcomes[who] === 'ok'
      expect(await head(), who).toBe(before + (isEdit ? 1 : 0))
      expect(told, who).toHaveLength(isEdit || outcomes[who] === 'passed on' ? 1 : 0)
      const isOut = who === 'stranger' || who === 'removed'
      expect(isOut ? socket.heard : [], who).toEqual([])
    }
    expect(outcomes).toEqual(expected)
  })

  test.each(signedOut)('[AU1] is not heard from who is signed out, token: %s', async (kind) => {
    await expect(connectRaw(server.url, cast.tokens[kind].access)).rejects.toMatchObject({
      code: 'unauthenticated',
    } satisfies Partial<SyncError>)
    const before = await head()
    const heard = witness.heard.length
    // By hand, as if it had been admitted, with an ack asked for.
    const auth = JSON.stringify({ token: cast.tokens[kind].access, protocolVersion })
    const event = JSON.stringify([name, payload({ spaceId, who: 'owner' })])
    const frames = await framesUntilClosed(`40${auth}`, `420${event}`)
    expect(frames.map((frame) => frame.slice(0, 2))).toEqual(['0{', '44'])
    expect(frames[1]).toContain('unauthenticated')
    expect(await head()).toBe(before)
    expect(newsSince(heard)).toEqual([])
  })
})

/** What a bare websocket gets until the server closes it. Each frame is sent once the one before was answered. */
async function framesUntilClosed(...sent: readonly string[]): Promise<string[]> {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`)
  const frames: string[] = []
  const { promise: closed, resolve, reject } = Promise.withResolvers<void>()
  const timer = setTimeout(() => reject(new Error(`still open after ${frames.join(' ')}`)), 10_000)
  socket.addEventListener('message', ({ data }) => {
    const next = sent[frames.push(String(data)) - 1]
    if (next !== undefined) socket.send(next)
  })
  socket.addEventListener('close', () => resolve())
  await closed.finally(() => clearTimeout(timer))
  return frames
}

describe('[AU3] renewing', () => {
  test.each(signedOut)('refuses a token that is no good, %s, and the socket goes on', async (kind) => {
    using socket = await connectRaw(server.url, cast.people.editor.token)
    const token = cast.tokens[kind].access
    const outcome = await socket.outcomeOf('auth:renew', token === undefined ? {} : { token })
    expect(outcome).toBe(kind === 'none' ? 'invalid_request' : 'unauthenticated')
    expect(await socket.outcomeOf('space:join', { spaceId })).toBe('ok')
  })

  test('makes nobody somebody else', async () => {
    using socket = await connectRaw(server.url, cast.people.stranger.token)
    expect(await socket.outcomeOf('auth:renew', { token: cast.people.owner.token })).toBe('forbidden')
    expect(await socket.outcomeOf('space:join', { spaceId })).toBe('not_found')
    expect(await socket.outcomeOf('auth:renew', { token: cast.people.owner.refreshToken })).toBe(
      'unauthenticated',
    )
  })
})

describe('the wrong space', () => {
  test('[JO2] one that is somebody else’s, one that was deleted and one that never was are refused alike', async () => {
    using socket = await connectRaw(server.url, cast.people.stranger.token)
    const deleted = await cast.space()
    expect((await cast.people.owner.call('DELETE', `/api/spaces/${deleted}`)).status).toBe(204)
    const answers = []
    for (const id of [spaceId, deleted, randomHexId()]) {
      answers.push(JSON.stringify(await socket.request('space:join', { spaceId: id })))
    }
    expect(new Set(answers).size, answers.join('\n')).toBe(1)
    expect(answers[0]).toContain('not_found')
  })

  test('[PU8] a batch of one space does not get into another, whichever of the two is one’s own', async () => {
    using socket = await connectRaw(server.url, cast.people.stranger.token)
    const own = randomHexId() as SpaceId
    await cast.people.stranger.call('POST', '/api/spaces', { id: own, name: 'Own' })
    expect(await socket.outcomeOf('space:join', { spaceId: own })).toBe('ok')
    const before = await head()
    const foreign = encodeBatch({ spaceId, ops: rootOf(spaceId) })
    expect(await socket.outcomeOf('ops:push', { spaceId: own, batch: foreign })).toBe('invalid_batch')
    const ownBatch = encodeBatch({ spaceId: own, ops: rootOf(own) })
    expect(await socket.outcomeOf('ops:push', { spaceId, batch: ownBatch })).toBe('not_joined')
    expect(await head()).toBe(before)
    expect(await socket.outcomeOf('ops:push', { spaceId: own, batch: ownBatch })).toBe('ok')
  })

  test('[PR4] nobody speaks in another’s name: who is present is what the server knows', async () => {
    using socket = await connectRaw(server.url, cast.people.editor.token)
    await socket.request('space:join', { spaceId })
    const user = { id: cast.people.owner.user.id, name: 'Olga Owner' }
    const pretence = { connectionId: witness.io.id, user }
    socket.io.emit('presence:set', { spaceId, state: { here: true }, ...pretence })
    const { present } = await witness.next('presence:changed')
    // Earlier ones are of other tests: the newest says it.
    await socket.fence()
    await witness.fence()
    const newest =
      witness
        .payloads('presence:changed')
        .flatMap((it) => it.present)
        .at(-1) ?? present[0]
    expect(newest).toMatchObject({ connectionId: socket.io.id, user: { id: cast.people.editor.user.id } })
  })
})
