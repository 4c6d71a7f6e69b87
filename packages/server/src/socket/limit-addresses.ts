import type { IncomingMessage } from 'node:http'

import { SyncError } from '@t69/protocol'
import type { Server } from 'socket.io'

import type { TrustedProxies } from '../ports/trusted-proxies.ts'
import { createAddressCounts } from './address-counts.ts'
import { createClientAddress } from './client-address.ts'

export interface AddressLimits {
  /** As for HTTP: whether, or from which proxies, `X-Forwarded-For` counts. */
  readonly trustProxy: TrustedProxies
  /** Open connections of one address. A whole office may be behind one. */
  readonly perAddress: number
}

/** Connections beyond twice the limit that are let in to be refused, for low limits. */
const spare = 10

/** Wait after too many connections, in ms. A place is free once another connection closes. */
export const tooManyRetryMs = 30_000

/**
 * Limits the connections of one address. Connections over the limit get as far as the handshake, which tells them
 * why they are refused and when to try again. Beyond about twice the limit they are not let in at all.
 */
export function limitAddresses(
  io: Pick<Server, 'engine'>,
  { trustProxy, perAddress }: AddressLimits,
): {
  /** For Engine.IO's `allowRequest`. */
  readonly allows: (request: IncomingMessage) => boolean
  /** Throws `rate_limited`. */
  readonly check: (request: IncomingMessage) => void
} {
  const addressOf = createClientAddress(trustProxy)
  const counts = createAddressCounts()
  /** By the request that began the connection: a closed connection has no address any more. */
  const addresses = new WeakMap<IncomingMessage, string>()

  io.engine.on('connection', (connection: EngineConnection) => {
    const address = addressOf(connection.request)
    addresses.set(connection.request, address)
    connection.once('close', counts.add(address))
  })

  return {
    // Engine.IO asks this of handshakes alone, and not of the requests of a connection that polls.
    allows: (request) => counts.of(addressOf(request)) < 2 * perAddress + spare,
    check: (request) => {
      if (counts.of(addresses.get(request) ?? '') <= perAddress) return
      throw new SyncError('rate_limited', `${perAddress} connections of this address are open`, {
        retryAfterMs: tooManyRetryMs,
      })
    },
  }
}

interface EngineConnection {
  readonly request: IncomingMessage
  once(event: 'close', listener: () => void): void
}
