import {
  encodeBatch,
  notifications,
  protocolVersion,
  randomHexId,
  requests,
  signals,
  type LogId,
  type NotificationName,
  type RequestName,
  type SignalName,
  type SpaceId,
  type SyncError,
} from '@t69/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { createCast, freshEdit, rootOf, signedIn, signedOut, type Cast, type SignedIn } from '../lib/cast.ts'
import { startLiveServer, type LiveServer, type Person } from '../lib/live-server.ts'
import { connectRaw, type RawSocket } from '../lib/raw-socket.ts'

/**
 * What everybody may send over the socket, and what they are told. A new event or a new role does not compile until it
 * has its rows here.
 */

/** A person whose socket has tried to join the space, or, `outside`, an editor whose socket has not. */
type Who = SignedIn | 'outside'
const everyone: readonly Who[] = [...signedIn, 'outside']

interface Asked {
  readonly spaceId: SpaceId
  readonly who: SignedIn
}

/** The outcome of a request is `ok` or the code of its error. A signal is `passed on` to the owner, or `dropped`. */
interface SentRow {
  readonly payload: (asked: Asked) => object
  readonly expected: Readonly<Record<Who, string>>
}

const anybody = (outcome: string) => ({
  stranger: outcome,
  removed: outcome,
  outside: outcome,
  viewer: outcome,
  editor: outcome,
  owner: outcome,
})

const notIn = { stranger: 'not_joined', removed: 'not_joined', outside: 'not_joined' }
const unheard = { stranger: 'dropped', removed: 'dropped', outside: 'dropped' }

const sent: Readonly<Record<RequestName | SignalName, SentRow>> = {
  'space:join': {
    payload: ({ spaceId }) => ({ spaceId }),
    expected: { ...anybody('ok'), stranger: 'not_found', removed: 'not_found' },
  },
  // Harmless for anyone: nobody can leave for somebody else.
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
  // With the caller's own token. The tokens of others are below.
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
  // Only the server's log has it.
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

/** A space, the socket of its owner, who causes the notifications, and the sockets that may get them. */
interface Scene {
  readonly spaceId: SpaceId
  readonly owner: RawSocket
  readonly listeners: readonly RawSocket[]
}

/** Who hears a notification, and what causes it. */
interface HeardRow {
  readonly cause: (scene: Scene) => Promise<unknown>
  /** The token of a listener's socket. By default the one that the cast has for the person. */
  readonly token?: (person: Person) => Promise<string>
  readonly expected: Readonly<Record<Who, 'hears it' | 'hears nothing'>>
}

const membersWhoJoined = {
  stranger: 'hears nothing',
  removed: 'hears nothing',
  outside: 'hears nothing',
  viewer: 'hears it',
  editor: 'hears it',
  owner: 'hears it',
} as const

const heard: Readonly<Record<NotificationName, HeardRow>> = {
  'ops:appended': {
    cause: ({ spaceId, owner }) => owner.request('ops:push', { spaceId, batch: freshEdit(spaceId).batch }),
    expected: membersWhoJoined,
  },
  'ops:transient': {
    cause: async ({ spaceId, owner }) => {
      const changes = [{ treeId: spaceId, targetId: spaceId, key: 'text', value: 'typing' }]
      owner.io.emit('ops:transient', { spaceId, changes })
    },
    expected: membersWhoJoined,
  },
  'presence:changed': {
    cause: async ({ spaceId, owner }) =>
      owner.io.emit('presence:set', { spaceId, state: { at: 'the door' } }),
    expected: membersWhoJoined,
  },
  'space:closed': {
    cause: ({ spaceId }) => cast.people.owner.call('DELETE', `/api/spaces/${spaceId}`),
    expected: membersWhoJoined,
  },
  'space:sealed': {
    cause: async ({ spaceId }) => {
      const newcomer = await server.signUp('Nina Newcomer')
      await newcomer.call('POST', `/api/invites/${await cast.invite(spaceId, 'viewer')}/accept`)
    },
    expected: membersWhoJoined,
  },
  // It is about the token of the socket, in whatever space.
  'auth:expiring': {
    cause: ({ listeners }) => Promise.all(listeners.map((socket) => socket.next('auth:expiring'))),
    token: async (person) => (await server.atOffset(-almostTokenTtlMs, () => server.signIn(person))).token,
    expected: {
      stranger: 'hears it',
      removed: 'hears it',
      outside: 'hears it',
      viewer: 'hears it',
      editor: 'hears it',
      owner: 'hears it',
    },
  },
}

/** The age, in ms, of an access token that has 12 s left. A socket is told of it when half of them are over. */
const almostTokenTtlMs = 15 * 60_000 - 12_000

let server: LiveServer
let cast: Cast
let spaceId: SpaceId
let logId: LogId
/** The owner's socket, which has joined the space. */
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

/** What the witness heard, without the sockets of earlier tests going away. */
function newsSince(count: number): object[] {
  return witness.heard.slice(count).filter(({ payload }) => !JSON.stringify(payload).includes('"present":[]'))
}

const sentEvents = [...Object.keys(requests), ...Object.keys(signals)] as (RequestName | SignalName)[]

describe.each(sentEvents)('%s', (name) => {
  const { payload, expected } = sent[name]

  test(`[PU2] [PL3] [TR2] [JO2] ${name}: each person gets the expected outcome, and a refusal changes nothing`, async () => {
    const outcomes: Partial<Record<Who, string>> = {}
    for (const who of everyone) {
      const as = who === 'outside' ? 'editor' : who
      using socket = await connectRaw(server.url, cast.people[as].token)
      if (who !== 'outside') await socket.request('space:join', { spaceId })
      const before = await head()
      const heardBefore = witness.heard.length
      const asked = { spaceId, who: as }
      if (isRequest(name)) outcomes[who] = await socket.outcomeOf(name, payload(asked))
      else socket.io.emit(name, payload(asked))
      await socket.fence()
      await witness.fence()
      const told = newsSince(heardBefore)
      outcomes[who] ??= told.length > 0 ? 'passed on' : 'dropped'
      const isEdit = name === 'ops:push' && outcomes[who] === 'ok'
      expect(await head(), who).toBe(before + (isEdit ? 1 : 0))
      expect(told, who).toHaveLength(isEdit || outcomes[who] === 'passed on' ? 1 : 0)
      const isOut = who === 'stranger' || who === 'removed'
      expect(isOut ? socket.heard : [], who).toEqual([])
    }
    expect(outcomes).toEqual(expected)
  })

  test.each(signedOut)(`[AU1] ${name} of a caller who is signed out is ignored, token: %s`, async (kind) => {
    await expect(connectRaw(server.url, cast.tokens[kind].access)).rejects.toMatchObject({
      code: 'unauthenticated',
    } satisfies Partial<SyncError>)
    const before = await head()
    const heardBefore = witness.heard.length
    // Written by hand, as if the socket had been admitted, and asks for an ack.
    const auth = JSON.stringify({ token: cast.tokens[kind].access, protocolVersion })
    const event = JSON.stringify([name, payload({ spaceId, who: 'owner' })])
    const frames = await framesUntilClosed(`40${auth}`, `420${event}`)
    expect(frames.map((frame) => frame.slice(0, 2))).toEqual(['0{', '44'])
    expect(frames[1]).toContain('unauthenticated')
    expect(await head()).toBe(before)
    expect(newsSince(heardBefore)).toEqual([])
  })
})

const heardEvents = Object.keys(notifications) as NotificationName[]

test.each(heardEvents)('[JO1] [AU6] %s is sent to the expected people, and to nobody else', async (name) => {
  const { cause, token, expected } = heard[name]
  const freshSpaceId = await cast.space()
  using owner = await connectRaw(server.url, cast.people.owner.token)
  await owner.request('space:join', { spaceId: freshSpaceId })
  using sockets = new DisposableStack()
  const listeners: { readonly who: Who; readonly socket: RawSocket; readonly heardBefore: number }[] = []
  for (const who of everyone) {
    const person = cast.people[who === 'outside' ? 'editor' : who]
    const shown = token === undefined ? person.token : await token(person)
    const socket = sockets.use(await connectRaw(server.url, shown))
    if (who !== 'outside') await socket.request('space:join', { spaceId: freshSpaceId })
    await socket.fence()
    listeners.push({ who, socket, heardBefore: socket.heard.length })
  }
  await cause({ spaceId: freshSpaceId, owner, listeners: listeners.map(({ socket }) => socket) })
  await owner.fence()
  const outcomes: Partial<Record<Who, string>> = {}
  for (const { who, socket, heardBefore } of listeners) {
    await socket.fence()
    const isHeard = socket.heard.slice(heardBefore).some((it) => it.name === name)
    outcomes[who] = isHeard ? 'hears it' : 'hears nothing'
  }
  expect(outcomes).toEqual(expected)
})

/** The frames that a bare WebSocket gets until the server closes it. Sends each frame once the one before was answered. */
async function framesUntilClosed(...sent: readonly string[]): Promise<string[]> {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`)
  const frames: string[] = []
  const { promise: closed, resolve, reject } = Promise.withResolvers<void>()
  const timer = setTimeout(() => reject(new Error(`still open after ${frames.join(' ')}`)), 30_000)
  socket.addEventListener('message', ({ data }) => {
    const next = sent[frames.push(String(data)) - 1]
    if (next !== undefined) socket.send(next)
  })
  socket.addEventListener('close', () => resolve())
  await closed.finally(() => clearTimeout(timer))
  return frames
}

describe('renewing', () => {
  test.each(signedOut)(
    '[AU3] renewing with an invalid token (%s) is refused, and the socket continues',
    async (kind) => {
      using socket = await connectRaw(server.url, cast.people.editor.token)
      const token = cast.tokens[kind].access
      const outcome = await socket.outcomeOf('auth:renew', token === undefined ? {} : { token })
      expect(outcome).toBe(kind === 'none' ? 'invalid_request' : 'unauthenticated')
      expect(await socket.outcomeOf('space:join', { spaceId })).toBe('ok')
    },
  )

  test('[AU3] renewing with the token of another user is refused', async () => {
    using socket = await connectRaw(server.url, cast.people.stranger.token)
    expect(await socket.outcomeOf('auth:renew', { token: cast.people.owner.token })).toBe('forbidden')
    expect(await socket.outcomeOf('space:join', { spaceId })).toBe('not_found')
    expect(await socket.outcomeOf('auth:renew', { token: cast.people.owner.refreshToken })).toBe(
      'unauthenticated',
    )
  })
})

describe('the wrong space', () => {
  test('[JO2] the spaces of others, deleted spaces and spaces that never existed are refused alike', async () => {
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

  test('[PU8] a batch of one space is refused in another, whichever of the two the user is a member of', async () => {
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

  test('[PR4] presence has the user and connection that the server knows, whatever the client sends', async () => {
    using socket = await connectRaw(server.url, cast.people.editor.token)
    await socket.request('space:join', { spaceId })
    const user = { id: cast.people.owner.user.id, name: 'Olga Owner' }
    const pretence = { connectionId: witness.io.id, user }
    socket.io.emit('presence:set', { spaceId, state: { here: true }, ...pretence })
    const { present } = await witness.next('presence:changed')
    // Earlier events are from other tests, so use the newest.
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
