import proxyAddr from '@fastify/proxy-addr'

/**
 * Which proxies may say who the client is: nobody, everybody, the nearest so many, or those with these addresses
 * (single ones, CIDR ranges, `loopback`, `linklocal`, `uniquelocal`).
 */
export type TrustedProxies = boolean | number | readonly string[]

/** `hop` counts from 0, which is whoever opened the connection. */
export type IsTrustedProxy = (address: string, hop: number) => boolean

/** One function for HTTP and for sockets. Fastify's own reading of a number trusts nobody. */
export function createIsTrustedProxy(trusted: TrustedProxies): IsTrustedProxy {
  if (typeof trusted === 'boolean') return () => trusted
  if (typeof trusted === 'number') return (_address, hop) => hop < trusted
  return proxyAddr.compile([...trusted])
}
