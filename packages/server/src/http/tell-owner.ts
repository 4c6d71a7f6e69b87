import { isIP } from 'node:net'

import type { FastifyRequest } from 'fastify'

import { languageOf } from '../mail/languages.ts'
import { type AccountChange, changeMail } from '../mail/mails.ts'
import { MailError } from '../ports/mailer.ts'
import { knownDeviceOf } from './device-name.ts'
import type { RouteDeps } from './route.ts'

/**
 * Mails the owner of an account what has changed who gets in, where the server sends mail. Nobody waits for it, and the change stands
 * whatever becomes of it. `email` is the address of the account, or the one that it had before.
 */
export type TellOwner = (
  request: FastifyRequest,
  change: AccountChange,
  owner: { readonly email: string },
) => void

export function createTellOwner({
  config,
  mailer,
  provider,
  now,
}: Pick<RouteDeps, 'config' | 'mailer' | 'provider' | 'now'>): TellOwner {
  return (request, change, { email }) => {
    const { publicUrl } = config
    if (mailer === undefined || publicUrl === undefined) return
    const mail = changeMail(change, {
      email,
      publicUrl,
      language: languageOf(request.headers['accept-language']),
      at: now(),
      device: knownDeviceOf(request),
      address: addressOf(request),
      ...(provider !== undefined && { provider: provider.name }),
    })
    mailer.send(mail).catch((error: unknown) => {
      // What is logged names no address.
      const details = error instanceof MailError ? { reason: error.message } : { err: error }
      request.log.error({ ...details, change }, 'a mail about a change of an account is not sent')
    })
  }
}

/** A header of the client's own is taken for the address where every proxy is trusted, and may say anything. */
function addressOf({ ip, socket }: FastifyRequest): string {
  return isIP(ip) === 0 ? (socket.remoteAddress ?? '') : ip
}
