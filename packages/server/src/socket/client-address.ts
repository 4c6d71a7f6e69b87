import type { IncomingMessage } from 'node:http'

import proxyAddr from '@fastify/proxy-addr'
import ipaddr from 'ipaddr.js'

/**
 * Whose limits a socket's handshake counts against: the nearest address that is no proxy of ours, as Fastify
 * finds it for HTTP. An IPv6 network of 64 bits counts as one, since one household has as many addresses.
 */
export function createClientAddress(
  trustProxy: boolean | readonly string[],
): (from: IncomingMessage) => string {
  const isProxy = typeof trustProxy === 'boolean' ? () => trustProxy : proxyAddr.compile([...trustProxy])
  return (request) => {
    // It is gone from a connection that has closed already.
    if (request.socket.remoteAddress === undefined) return ''
    return networkOf(proxyAddr(request, isProxy))
  }
}

function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address
  const ip = ipaddr.process(address)
  if (ip.kind() === 'ipv4') return ip.toString()
  return ipaddr.IPv6.networkAddressFromCIDR(`${ip.toString()}/64`).toString()
}
