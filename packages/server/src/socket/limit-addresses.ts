import type { IncomingMessage } from 'node:http'

import { SyncError } from '@t69/protocol'
import type { Server } from 'socket.io'

import { createAddressCounts } from './address-counts.ts'
import { createClientAddress } from './client-address.ts'

export interface AddressLimits {
  /** As for HTTP: whether, or from which proxies, `X-Forwarded-For` counts. */
  readonly trustProxy: boolean | readonly string[]
  /** Connections at once. An office may be behind one. */
  readonly perAddress: number
}

/** For those who are being told, where the limit is low. */
const spare = 10

/** A place is free again once somebody leaves. */
const retryAfterMs = 30_000

/**
 * Bounds the connections of one address. Those over the limit are let in as far as the handshake, so that they
 * are told why and when to try again; twice as many (and a few) are not let in at all.
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
  /** By the request that a connection began with: the address is gone once it has closed. */
  const addresses = new WeakMap<IncomingMessage, string>()

  io.engine.on('connection', (connection: EngineConnection) => {
    const address = addressOf(connection.request)
    addresses.set(connection.request, address)
    connection.once('close', counts.add(address))
  })

  return {
    allows: (request) => isSeated(request) || counts.of(addressOf(request)) < 2 * perAddress + spare,
    check: (request) => {
      if (counts.of(addresses.get(request) ?? '') <= perAddress) return
      throw new SyncError('rate_limited', `${perAddress} connections of this address are open`, {
        retryAfterMs,
      })
    },
  }
}

interface EngineConnection {
  readonly request: IncomingMessage
  once(event: 'close', listener: () => void): void
}

/** Of a connection that is there: long polling sends a request for each message. */
function isSeated(request: IncomingMessage): boolean {
  return new URL(request.url ?? '', 'http://localhost').searchParams.has('sid')
}
