import { decodeBatch, type ErrorCode, opKey, type SpaceId, type TreeOperation } from '@t69/protocol'
import {
  createSocketIoTransport,
  createSyncClient,
  memoryStorage,
  type Runtime,
  type Space,
  type SpaceStatus,
  type SyncClient,
  type Transport,
} from '@t69/sync-client'
import { expect } from 'vitest'

const deadlineMs = 60_000

/** The devices of one person, and the operations that the server has acked to them. */
export interface Fleet {
  /** Every operation that an ack covered, by its key. It is recorded here even if the client is lost. */
  readonly acked: ReadonlyMap<string, TreeOperation>
  /** Resolves at the next ack. */
  nextAck(): Promise<void>
  /** Calls back for each answer of the server to a request of any device: with its error code, or undefined. */
  onAnswer(listener: (code: ErrorCode | undefined) => void): void
  /** Resolves when any of the devices next gets a fresh access token. */
  nextRefresh(): Promise<void>
  /** Signs in another device. `url` is the server's, or that of a link to it. */
  device(url?: string): Promise<SyncClient>
  /** A bearer token for HTTP, from a separate sign-in. */
  token(): Promise<string>
  [Symbol.asyncDispose](): Promise<void>
}

export const anna = { email: 'anna@example.org', password: 'correct horse battery', name: 'Anna' }

/** Settings with limits that allow twenty devices of one person at one address. */
export const roomyLimits = {
  SIGN_IN_LIMIT_PER_ADDRESS: '100000',
  SIGN_IN_LIMIT_PER_ACCOUNT: '100000',
  REQUEST_LIMIT_PER_ADDRESS: '100000',
  REQUEST_LIMIT_PER_USER: '100000',
  LOG_LEVEL: 'warn',
}

export async function createFleet(serverUrl: string): Promise<Fleet> {
  const acked = new Map<string, TreeOperation>()
  const clients: SyncClient[] = []
  let heard = Promise.withResolvers<void>()
  let refreshed = Promise.withResolvers<void>()
  const answerListeners: ((code: ErrorCode | undefined) => void)[] = []

  /** The real transport, with its acks recorded. */
  function listening(url: string): Transport {
    const inner = createSocketIoTransport(url)
    return {
      connect(handshake, listener) {
        const connection = inner.connect(handshake, listener)
        return {
          ...connection,
          request: (name, payload, answered) =>
            connection.request(name, payload, (ack) => {
              if (name === 'ops:push' && ack.ok && 'batch' in payload && 'rejected' in ack) {
                const batch = new Uint8Array(payload.batch)
                const rejected = new Set(ack.rejected.map(({ index }) => index))
                for (const [index, op] of decodeBatch(batch).ops.entries()) {
                  if (!rejected.has(index)) acked.set(opKey(op), op)
                }
                heard.resolve()
                heard = Promise.withResolvers<void>()
              }
              for (const listener of answerListeners) listener(ack.ok ? undefined : ack.error.code)
              answered(ack)
            }),
        }
      },
    }
  }

  const listeningFetch: typeof fetch = async (input, init) => {
    const response = await fetch(input, init)
    if (response.ok && response.url.endsWith('/api/auth/refresh')) {
      refreshed.resolve()
      refreshed = Promise.withResolvers<void>()
    }
    return response
  }

  function create(url: string): SyncClient {
    const client = createSyncClient({
      url,
      fetch: listeningFetch,
      storage: memoryStorage(),
      transport: listening(url),
      runtime: hastyRuntime,
    })
    clients.push(client)
    return client
  }

  await create(serverUrl).signUp(anna)
  return {
    acked,
    nextAck: () => heard.promise,
    onAnswer: (listener) => void answerListeners.push(listener),
    nextRefresh: () => refreshed.promise,
    async device(url = serverUrl) {
      const client = create(url)
      await client.signIn(anna)
      return client
    },
    async token() {
      const response = await fetch(new URL('/api/auth/login', serverUrl), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...anna, name: undefined, session: 'body' }),
      })
      const { accessToken }: { accessToken: string } = JSON.parse(await response.text())
      return accessToken
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(clients.map((client) => client.close()))
    },
  }
}

/** Draws short pauses: retries come within 600 ms, where real devices take up to 30 s. */
export const hastyRuntime: Runtime = {
  now: () => Date.now(),
  random: () => Math.random() / 50,
  setTimer: (callback, delayMs) => {
    const timer = setTimeout(callback, delayMs)
    return () => clearTimeout(timer)
  },
}

/** Reads a tree over HTTP: by default, the space's own. */
export async function serverTree(
  serverUrl: string,
  token: string,
  spaceId: SpaceId,
  treeId: string = spaceId,
): Promise<{ digest: string; names: string[] }> {
  const response = await fetch(new URL(`/api/spaces/${spaceId}/trees/${treeId}`, serverUrl), {
    headers: { authorization: `Bearer ${token}` },
  })
  const body = await response.text()
  if (!response.ok) throw new Error(`${response.status} ${body}`)
  const tree: { digest: string; vertices: { properties: Record<string, unknown> }[] } = JSON.parse(body)
  return { digest: tree.digest, names: tree.vertices.map(({ properties }) => String(properties['name'])) }
}

export async function until(space: Space, holds: (status: SpaceStatus) => boolean): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const timer = setTimeout(
    () => reject(new Error(`not reached in ${deadlineMs} ms; last: ${JSON.stringify(space.status)}`)),
    deadlineMs,
  )
  const stop = space.onStatus((status) => void (holds(status) && resolve()))
  if (holds(space.status)) resolve()
  await promise.finally(() => {
    clearTimeout(timer)
    stop()
  })
}

export const live = (space: Space): Promise<void> => until(space, ({ phase }) => phase === 'live')

/** Waits until all have sent their edits and read the log to its end, and show the same tree. Returns its digest. */
export async function agreed(spaces: readonly Space[]): Promise<string> {
  const [first] = spaces
  if (first === undefined) throw new Error('there are no clients')
  await Promise.all(
    spaces.map((space) => until(space, ({ phase, pending }) => phase === 'live' && pending === 0)),
  )
  // One more edit comes last in the log: a client that shows it has everything before it.
  const mark = `mark ${Math.random()}`
  first.root.root?.newNamedChild(mark)
  await until(first, ({ phase, pending }) => phase === 'live' && pending === 0)
  const head = first.status.cursor
  const isThere = ({ phase, pending, error, cursor }: SpaceStatus): boolean =>
    phase === 'live' && pending === 0 && error === null && cursor >= head
  await Promise.all(
    spaces.map((space) =>
      until(space, (status) => isThere(status) && space.root.digest() === first.root.digest()),
    ),
  )
  for (const space of spaces) expect(space.status).toMatchObject({ phase: 'live', rejected: 0 })
  return first.root.digest()
}

export const childNames = (space: Space): string[] =>
  (space.root.root?.children ?? [])
    .map((child) => child.name ?? '')
    .filter((name) => !name.startsWith('mark '))
