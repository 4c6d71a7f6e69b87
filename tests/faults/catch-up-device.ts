import type { SpaceId } from '@t69/protocol'
import {
  createSocketIoTransport,
  createSyncClient,
  memoryStorage,
  type ClientStorage,
  type Space,
  type SyncClient,
  type Transport,
} from '@t69/sync-client'

import { hastyRuntime } from './fleet.ts'

/** A request for a page, and the position up to which the device had stored the log by then. */
export interface Pull {
  readonly after: number
  readonly stored: number
}

/** A transaction that moved the device's cursor. */
export interface StoredStep {
  readonly cursor: number
  /** Milliseconds since the previous step. */
  readonly tookMs: number
}

/** A device whose process may die at any moment. Stored data is there when it starts again. */
export interface CatchUpDevice extends AsyncDisposable {
  readonly storage: ClientStorage
  readonly pulls: readonly Pull[]
  readonly steps: readonly StoredStep[]
  start(): Promise<SyncClient>
  /** Signs in if necessary, and opens the space. */
  open(spaceId: SpaceId): Promise<Space>
  crash(): void
}

export interface Account {
  readonly email: string
  readonly password: string
}

export interface CatchUpDeviceOptions {
  /** Default: an empty one. What is in it belongs to the server at `url`. */
  readonly storage?: ClientStorage
  /** Where the socket connects to. Default: `url`. */
  readonly socketUrl?: string
}

export function createCatchUpDevice(
  url: string,
  account: Account,
  { storage = memoryStorage(), socketUrl = url }: CatchUpDeviceOptions = {},
): CatchUpDevice {
  const pulls: Pull[] = []
  const steps: StoredStep[] = []
  let stored = 0
  let steppedAt = performance.now()
  let life: { isAlive: boolean; client: SyncClient } | undefined

  function stepTo(cursor: number): void {
    const now = performance.now()
    if (cursor > stored) steps.push({ cursor, tookMs: now - steppedAt })
    stored = cursor
    steppedAt = now
  }

  /** The storage as one life of the process sees it. Once that has ended, its calls do nothing. */
  function storageOf(isAlive: () => boolean, storage: ClientStorage): ClientStorage {
    const never = new Promise<never>(() => {})
    const own: Partial<ClientStorage> = {
      forLeader: () => storageOf(isAlive, storage.forLeader()),
      async appendRemote(spaceId, ops, state, attested) {
        await storage.appendRemote(spaceId, ops, state, attested)
        stepTo(state.cursor)
      },
      async settleOutbox(spaceId, entries, rejected, state, attested) {
        await storage.settleOutbox(spaceId, entries, rejected, state, attested)
        stepTo(state.cursor)
      },
      async putSyncState(spaceId, state) {
        await storage.putSyncState(spaceId, state)
        stepTo(state.cursor)
      },
    }
    return new Proxy(storage, {
      get(target, name) {
        const value: unknown = Reflect.get(name in own ? own : target, name, target)
        if (typeof value !== 'function') return value
        return (...args: unknown[]): unknown =>
          isAlive() ? Reflect.apply(value, name in own ? own : target, args) : never
      },
    })
  }

  function transportOf(isAlive: () => boolean): Transport {
    const inner = createSocketIoTransport(socketUrl)
    return {
      connect(handshake, listener) {
        const connection = inner.connect(handshake, {
          opened: () => isAlive() && listener.opened(),
          notified: (name, payload) => isAlive() && listener.notified(name, payload),
          closed: (error) => isAlive() && listener.closed(error),
        })
        return {
          ...connection,
          request(name, payload, answered) {
            if (name === 'ops:pull' && 'after' in payload && typeof payload.after === 'number')
              pulls.push({ after: payload.after, stored })
            connection.request(name, payload, (ack) => void (isAlive() && answered(ack)))
          },
        }
      },
    }
  }

  async function start(): Promise<SyncClient> {
    const born = { isAlive: true }
    const isAlive = (): boolean => born.isAlive
    const client = createSyncClient({
      url,
      storage: storageOf(isAlive, storage),
      session: 'storage',
      transport: transportOf(isAlive),
      runtime: {
        ...hastyRuntime,
        setTimer: (callback, delayMs) => hastyRuntime.setTimer(() => isAlive() && callback(), delayMs),
      },
    })
    life = Object.assign(born, { client })
    await client.ready
    if (client.user === null) await client.signIn(account)
    return client
  }

  return {
    storage,
    pulls,
    steps,
    start,
    async open(spaceId) {
      const client = life?.isAlive === true ? life.client : await start()
      return client.openSpace(spaceId)
    },
    crash() {
      if (life !== undefined) life.isAlive = false
    },
    async [Symbol.asyncDispose]() {
      if (life?.isAlive === true) await life.client.close()
    },
  }
}
