import {
  decodeBatch,
  encodeBatch,
  opKey,
  randomHexId,
  spaceIdSchema,
  type NotificationName,
  type RequestName,
  type TreeOperation,
} from '@t69/protocol'
import { toTreeOperation } from '@t69/replica'
import {
  createSyncClient,
  memoryStorage,
  type ClientStorage,
  type Connection,
  type ConnectionListener,
  type Runtime,
  type Space,
  type SyncClient,
  type Transport,
} from '@t69/sync-client'
import { notificationNames, readAck, readNotification } from '@t69/sync-client/testing/read-message'

import { createVirtualTime, type VirtualTime } from '../../system/simulation/time.ts'
import { drawOps } from '../draw-ops.ts'
import { createDraw, drawRelative, drawValue, type Draw } from '../draw.ts'
import type { FuzzTarget } from '../fuzz-target.ts'
import { mutateBytes } from '../mutate-bytes.ts'

const spaceId = spaceIdSchema.parse('a1'.repeat(16))
/** Appends twice as often as the others. */
const names: readonly NotificationName[] = ['ops:appended', ...notificationNames]
const identity = 'd4'.repeat(16)
const user = { id: 'b2'.repeat(16), email: 'a@example.org', name: 'Anna' }

/**
 * Whatever a server sends, the client does not crash and keeps every edit. Once it talks to an honest server, every edit
 * is in that server's log or shown as rejected.
 */
export function clientTarget(): FuzzTarget {
  return {
    seeds: (random) =>
      Array.from({ length: 100 }, (_, index) =>
        Uint8Array.from({ length: 10 + (index % 50) * 4 }, () => random.below(256)),
      ),
    mutate: mutateBytes,
    run: (input) => runScript(createDraw(input)),
  }
}

async function runScript(draw: Draw): Promise<string> {
  const time = createVirtualTime(1_000_000)
  const storage = memoryStorage()
  const edits = new Set<string>()
  const hostile = createServer(time, draw)
  {
    await using device = await startDevice(time, storage, hostile.transport)
    for (let left = 12; left > 0 && draw.left > 0; left--) {
      if (draw.below(2) === 0) edit(device.space, draw.below(4), edits)
      if (draw.below(3) === 0) hostile.say()
      await time.advance(draw.pick([10, 100, 3_000, 40_000]))
    }
    await device.space.stored()
  }
  return settleWithHonest(time, storage, edits)
}

/** Reloads with the same storage, and with a server that knows nothing of what the first one sent. */
async function settleWithHonest(
  time: VirtualTime,
  storage: ClientStorage,
  edits: ReadonlySet<string>,
): Promise<string> {
  const honest = createServer(time, undefined)
  await using device = await startDevice(time, storage, honest.transport)
  const isSettled = () => device.space.status.phase === 'live' && device.space.status.pending === 0
  await time.advance(600_000, isSettled)
  const { phase, pending, error } = device.space.status
  if (!isSettled())
    throw new Error(`${phase} with ${pending} edits in the end: ${error?.code} ${error?.message}`)
  const refused = new Set((await device.space.rejectedEdits()).map(({ op }) => opKey(op)))
  const missing = Array.from(edits).filter(
    (id) => !honest.log.some((op) => opKey(op) === id) && !refused.has(id),
  )
  if (missing.length > 0) throw new Error(`lost ${missing.length} of ${edits.size} edits`)
  return `${edits.size} edits, ${refused.size} refused`
}

interface Device extends AsyncDisposable {
  readonly client: SyncClient
  readonly space: Space
}

async function startDevice(time: VirtualTime, storage: ClientStorage, transport: Transport): Promise<Device> {
  const runtime: Runtime = {
    now: () => time.now(),
    random: () => 0.5,
    setTimer: (callback, delayMs) => time.setTimer(callback, delayMs),
  }
  const client = createSyncClient({
    url: 'http://server.example',
    storage,
    session: 'storage',
    transport,
    fetch: (input, init) => answer(input, init),
    runtime,
  })
  await client.ready
  if (client.user === null) await client.signIn({ email: user.email, password: 'not checked here' })
  const space = await client.openSpace(spaceId)
  return { client, space, [Symbol.asyncDispose]: () => client.close() }
}

async function answer(input: string | URL | Request, _init: RequestInit | undefined): Promise<Response> {
  const { pathname } = new URL(input instanceof Request ? input.url : input)
  const session = {
    user,
    accessToken: 'token',
    expiresInMs: 600_000,
    refreshToken: 'refresh',
    seal: 'the account',
  }
  if (pathname.startsWith('/api/auth/')) return Promise.resolve(Response.json(session))
  const space = { id: spaceId, identity, name: 'Space', role: 'owner', createdAt: 1 }
  return Promise.resolve(Response.json(pathname === '/api/spaces' ? { spaces: [space] } : space))
}

function edit(space: Space, kind: number, edits: Set<string>): void {
  const tree = space.root
  const stop = tree.onLocalOp((op) => {
    if ('transient' in op && op.transient) return
    edits.add(opKey(toTreeOperation(op, { spaceId, treeId: space.treeIdOf(tree) })))
  })
  try {
    const vertex = tree.root
    if (vertex === undefined) tree.createRoot()
    else if (kind === 0) vertex.newNamedChild('child', { n: 1 })
    else vertex.setProperty('key', kind)
  } finally {
    stop()
  }
}

/** A server with one log. If a script is given, its answers are lies drawn from it. */
function createServer(time: VirtualTime, draw: Draw | undefined) {
  const log: TreeOperation[] = []
  const logId = randomHexId()
  const epoch = randomHexId()
  let listener: ConnectionListener | undefined
  let isOpen = false

  const state = () => ({ logId, epoch, head: log.length })

  function pageAfter(after: number) {
    const batch = encodeBatch({ spaceId, ops: log.slice(after) })
    const commits = log.length > after ? [{ after, userId: user.id, at: 1 }] : []
    return { after, cursor: log.length, batch, commits }
  }

  function honest(
    name: RequestName,
    payload: { readonly [field: string]: unknown },
  ): Record<string, unknown> {
    switch (name) {
      case 'space:join': {
        const isHeld = payload['logId'] === logId && Number(payload['cursor']) <= log.length
        const cursor = isHeld ? Number(payload['cursor']) : 0
        const page = cursor < log.length ? pageAfter(cursor) : undefined
        return { ok: true, identity, ...state(), cursor, role: 'owner', ...(page && { page }) }
      }
      case 'ops:pull':
        return { ok: true, ...state(), ...pageAfter(Number(payload['after'])) }
      case 'ops:push': {
        const known = new Set(log.map(opKey))
        const { ops } = decodeBatch(payload['batch'] as Uint8Array)
        const fresh = ops.filter((op) => !known.has(opKey(op)))
        const after = log.length
        log.push(...fresh)
        const duplicates = ops.length - fresh.length
        return { ok: true, ...state(), after, cursor: log.length, at: 1, duplicates, rejected: [] }
      }
      case 'auth:renew':
        return { ok: true, expiresInMs: 600_000 }
      case 'tree:compare':
        return { ok: true, matches: true, digest: 'ab'.repeat(16) }
      default:
        return { ok: true }
    }
  }

  function reply(name: RequestName, payload: unknown): unknown {
    const truth = honest(name, payload as { readonly [field: string]: unknown })
    if (draw === undefined || draw.left === 0) return truth
    switch (draw.below(10)) {
      case 0: {
        const code = draw.pick(errorCodes)
        return {
          ok: false,
          error: { code, message: 'no', retryAfterMs: draw.pick(waits), at: draw.below(3) },
        }
      }
      case 1:
        return drawRelative(draw, truth)
      case 2:
        return { ...truth, [draw.pick(['after', 'cursor', 'head', 'duplicates'])]: draw.below(9) }
      case 3:
        return { ...truth, batch: lyingBatch(draw), commits: lyingCommits(draw) }
      case 4:
        return { ...truth, logId: draw.pick(['cd'.repeat(16), 'ef'.repeat(16)]) }
      case 5:
        return { ...truth, rejected: [{ index: draw.below(4), code: 'op_conflict', message: 'no' }] }
      case 6:
        return { ...truth, identity: draw.pick([identity, 'e5'.repeat(16), 'no identity']) }
      case 7:
        return { ...truth, seal: drawSeal(draw) }
      default:
        return truth
    }
  }

  function said(name: NotificationName): Record<string, unknown> {
    if (draw === undefined) return {}
    const range = { after: draw.below(9), cursor: draw.below(9) }
    switch (name) {
      case 'ops:appended':
        return { spaceId, logId, epoch, ...range, batch: lyingBatch(draw), commits: lyingCommits(draw) }
      case 'ops:transient': {
        const change = {
          treeId: spaceId,
          targetId: spaceId,
          key: 'key',
          value: drawValue(draw),
          offset: draw.below(5),
        }
        return { spaceId, connectionId: 'c', changes: [change] }
      }
      case 'presence:changed':
        return { spaceId, present: [{ connectionId: 'c', user, state: drawValue(draw) }], gone: ['d', 'c'] }
      case 'space:sealed':
        return { spaceId, ...drawSeal(draw) }
      case 'space:closed':
        return { spaceId, reason: draw.pick(['deleted', 'removed', 'changed', 'unavailable']) }
      case 'auth:expiring':
        return { expiresInMs: draw.pick([0, 1, 600_000]) }
    }
  }

  const transport: Transport = {
    connect: (_, to): Connection => {
      listener = to
      let isDead = false
      const waiting = new Set<() => void>()
      time.setTimer(() => {
        if (isDead) return
        isOpen = true
        to.opened()
      }, 5)
      const die = (): void => {
        isDead = true
        isOpen = false
        for (const fail of waiting) fail()
      }
      return {
        request(name, payload, answered) {
          const fail = (): void =>
            queueMicrotask(() => answered({ ok: false, error: { code: 'unavailable', message: 'gone' } }))
          if (isDead) return fail()
          waiting.add(fail)
          time.setTimer(() => {
            if (isDead) return
            waiting.delete(fail)
            answered(readAck(name, reply(name, payload)))
          }, 5)
        },
        signal: () => {},
        close: die,
      }
    },
  }

  return {
    transport,
    log,
    /** Sends a notification that nothing caused. */
    say: (): void => {
      if (draw === undefined || listener === undefined || !isOpen) return
      const name = draw.pick(names)
      const read = readNotification(name, drawRelative(draw, said(name)))
      if (read !== undefined) listener.notified(name, read)
    },
  }
}

const errorCodes = [
  'invalid_batch',
  'forbidden',
  'too_large',
  'not_joined',
  'storage_failed',
  'unauthenticated',
  'op_conflict',
  'not_found',
  'other_space',
  'access_behind',
  'already_exists',
  'internal',
  'nonsense',
]
const waits = [0, 1, 1_000, 2 ** 31, 2 ** 53 - 1]

function drawSeal(draw: Draw): Record<string, unknown> {
  return { accessId: draw.pick(['c6'.repeat(16), 'c7'.repeat(16), 'no id']), seal: draw.pick(['sealed', '']) }
}

/** Commits in any order, that begin anywhere. */
function lyingCommits(draw: Draw): Record<string, unknown>[] {
  return Array.from({ length: draw.below(4) }, () => ({
    after: draw.below(12),
    userId: draw.pick([null, 'a1'.repeat(16), 'b2'.repeat(16)]),
    at: draw.below(3),
  }))
}

function lyingBatch(draw: Draw): Uint8Array {
  const space = draw.below(8) === 0 ? spaceIdSchema.parse('c3'.repeat(16)) : spaceId
  const bytes = encodeBatch({ spaceId: space, ops: drawOps(draw, space, draw.below(6), ['tree', spaceId]) })
  if (draw.below(6) === 0) bytes[draw.below(bytes.length)] = draw.below(256)
  return bytes
}
