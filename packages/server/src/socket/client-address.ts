import type { IncomingMessage } from 'node:http'

import proxyAddr from '@fastify/proxy-addr'
import ipaddr from 'ipaddr.js'

import { createIsTrustedProxy, type TrustedProxies } from '../ports/trusted-proxies.ts'

/** Finds the address that a request comes from: the nearest one that is not a trusted proxy, as Fastify finds it. */
export function createAddressOf(trustProxy: TrustedProxies): (from: IncomingMessage) => string {
  const isProxy = createIsTrustedProxy(trustProxy)
  return (request) => {
    // A connection that has closed has no address any more.
    if (request.socket.remoteAddress === undefined) return ''
    return proxyAddr(request, isProxy)
  }
}

/**
 * Finds the address whose limits a handshake counts against. An IPv6 network of 64 bits counts as one address, since one household has that many.
 */
export function createClientAddress(trustProxy: TrustedProxies): (from: IncomingMessage) => string {
  const addressOf = createAddressOf(trustProxy)
  return (request) => networkOf(addressOf(request))
}

function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address
  const ip = ipaddr.process(address)
  if (ip.kind() === 'ipv4') return ip.toString()
  return ipaddr.IPv6.networkAddressFromCIDR(`${ip.toString()}/64`).toString()
}
