import {
  notifications,
  randomHexId,
  SyncError,
  type Ack,
  type ErrorBody,
  type NotificationName,
  type RequestName,
  type RequestReply,
} from '@t69/protocol'
import type { GatewayConnection, Socket } from '@t69/server'
import type { Connection, ConnectionListener, Transport } from '@t69/sync-client'

import type { Random } from '../../lib/random.ts'
import type { SimServer } from './server.ts'
import type { VirtualTime } from './time.ts'

/** The faults of a network, as probabilities per message. */
export interface Faults {
  /** The message is lost, and so is everything after it in both directions: the connection is half open. */
  drop: number
  /** The request arrives twice. */
  repeat: number
  /** The connection breaks at this message. */
  cut: number
  maxDelayMs: number
  /** The device does not read, so the server leaves out appends until it does. */
  slow: number
}

export const goodNetwork: Faults = { drop: 0, repeat: 0, cut: 0, maxDelayMs: 20, slow: 0 }

/** The network between a device and the server. Messages on a connection stay in order, as on TCP. */
export interface Network extends Transport {
  faults: Faults
  /** While true, there are no connections, and new ones fail. */
  offline: boolean
  /** Breaks every connection. Both sides are told only that it is closed. */
  cut(): void
  /** Called with every ack when the server sends it, before the network can lose it. */
  onAck: <N extends RequestName>(name: N, payload: unknown, ack: Ack<RequestReply<N>>) => void
}

/** How long Socket.io's pings take to notice a half-open connection, in ms. */
const pingTimeoutMs = 45_000
const slowForMs = 2_000

const broken: ErrorBody = { code: 'unavailable', message: 'The connection broke' }

function isReadable(name: NotificationName, payload: unknown): boolean {
  return Object.hasOwn(notifications, name) && notifications[name].safeParse(payload).success
}

export function createNetwork(time: VirtualTime, random: Random, server: SimServer): Network {
  const live = new Set<() => void>()

  const network: Network = {
    faults: goodNetwork,
    offline: false,
    cut: () => {
      for (const breakOff of live) breakOff()
    },
    onAck: () => {},
    connect: (handshake, listener) => connect(handshake.token, listener),
  }

  function connect(token: string, listener: ConnectionListener): Connection {
    let state: 'opening' | 'open' | 'closed' = 'opening'
    let remote: GatewayConnection | null = null
    const waiting = new Set<() => void>()
    let isSilent = false
    let isSlow = false
    const up = createLink()
    const down = createLink()

    function close(error: ErrorBody | null): void {
      if (state === 'closed') return
      state = 'closed'
      live.delete(breakOff)
      remote?.closed()
      for (const fail of waiting) fail()
      if (error !== null) listener.closed(error)
    }
    const breakOff = (): void => close(broken)
    live.add(breakOff)

    /** Delivers in order, after a delay, unless the connection is closed by then. */
    function createLink(): (deliver: () => void) => void {
      let clearAt = 0
      return (deliver) => {
        if (random.chance(network.faults.cut)) return breakOff()
        if (!isSilent && random.chance(network.faults.drop)) {
          isSilent = true
          time.setTimer(breakOff, pingTimeoutMs)
        }
        if (isSilent) return
        clearAt = Math.max(clearAt, time.now() + random.below(network.faults.maxDelayMs + 1))
        time.setTimer(() => {
          if (state !== 'closed' && !isSilent) deliver()
        }, clearAt - time.now())
      }
    }

    const socket: Socket = {
      id: randomHexId(),
      send: (name, payload) => {
        const sent = structuredClone(payload)
        down(() => {
          // Drops unreadable messages, like the real transport.
          if (isReadable(name, sent)) listener.notified(name, sent)
        })
      },
      disconnect: (reason) => time.setTimer(() => close(reason), 1),
      takesCompressed: true,
      backlogBytes: () => {
        if (!isSlow && random.chance(network.faults.slow)) {
          isSlow = true
          time.setTimer(() => {
            isSlow = false
            if (state === 'open') remote?.drained()
          }, slowForMs)
        }
        return isSlow ? Number.MAX_SAFE_INTEGER : 0
      },
    }

    time.setTimer(
      () => {
        const { gateway } = server
        if (state === 'closed') return
        if (network.offline || gateway === null) return close(broken)
        try {
          remote = gateway.connect(socket, server.verify(token))
        } catch (error) {
          return close(error instanceof SyncError ? error.body : broken)
        }
        state = 'open'
        listener.opened()
      },
      1 + random.below(network.faults.maxDelayMs + 1),
    )

    return {
      request(name, payload, answered) {
        let isAnswered = false
        const answer = (ack: Ack<RequestReply<typeof name>>): void => {
          if (isAnswered) return
          isAnswered = true
          waiting.delete(fail)
          answered(ack)
        }
        const fail = (): void => queueMicrotask(() => answer({ ok: false, error: broken }))
        if (state !== 'open') return fail()
        waiting.add(fail)
        const sent = structuredClone(payload)
        const arrive = (): void =>
          remote?.request(name, sent, (ack) => {
            network.onAck(name, sent, ack)
            const replied = structuredClone(ack)
            down(() => answer(replied))
          })
        up(arrive)
        if (random.chance(network.faults.repeat)) up(arrive)
      },
      signal: (name, payload) => {
        if (state === 'open') up(() => remote?.signal(name, structuredClone(payload)))
      },
      close: () => close(null),
    }
  }
  return network
}
