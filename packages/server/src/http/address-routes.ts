import {
  changeAddressBodySchema,
  confirmAddressBodySchema,
  SyncError,
  type User,
  userSchema,
} from '@t69/protocol'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'

import { languageOf } from '../mail/languages.ts'
import { newAddressMail } from '../mail/mails.ts'
import { MailError } from '../ports/mailer.ts'
import { authenticateBy, callerOf } from './authenticate.ts'
import type { ConfirmedCaller } from './confirm-caller.ts'
import { createNoteDone } from './note-done.ts'
import { bearer, errorResponses } from './openapi.ts'
import type { SignInLimits } from './rate-limits.ts'
import type { HttpApp, RouteDeps } from './route.ts'
import { createTellOwner } from './tell-owner.ts'
import { unseen } from './unseen.ts'

/** The routes by which somebody changes the address of their account, where mail can be sent to the new one. */
export function addressRoutes(
  app: HttpApp,
  deps: RouteDeps,
  {
    limits,
    confirmed,
  }: { readonly limits: Pick<SignInLimits, 'change' | 'mailTo'>; readonly confirmed: ConfirmedCaller },
): void {
  const { config, platform, mailer, tokens, now } = deps
  const { users, accounts, addressChanges } = platform
  const publicUrl = config.publicUrl ?? ''
  const preParsing = authenticateBy(tokens)
  const noteDone = createNoteDone(deps)
  const tellOwner = createTellOwner(deps)
  const tags = ['auth']
  const security = bearer

  app.post('/api/auth/change-address', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'Be sent a link to the address that the account is to have',
      description:
        'Where the server sends mail. Nothing changes until the link is used. The answer is the same, and comes as soon, for ' +
        'an address that another account has.',
      body: changeAddressBodySchema,
      response: {
        204: z.undefined().describe('Sent, if the address is free'),
        ...errorResponses('unauthenticated', 'wrong_credentials', 'not_found', 'forbidden'),
      },
    },
    handler: async (request, reply) => {
      if (mailer === undefined) {
        throw new SyncError('not_found', 'This server sends no mail', { reason: 'not_offered' })
      }
      const { email, ...proof } = request.body
      await confirmed(request, reply, proof, ({ id }) => {
        limits.mailTo(request, id, email)
        // What follows takes longer if the address is free.
        unseen(reply, deps.setTimer, () => void sendLink(request, id, email))
      })
      return reply.code(204).send()
    },
  })

  /** Never rejects. What is logged names no address and no token. */
  async function sendLink(request: FastifyRequest, userId: User['id'], email: string): Promise<void> {
    try {
      const user = users.byId(userId)
      const holder = users.byEmail(email)
      if (user === undefined || (holder !== undefined && holder.id !== userId)) return
      const token = addressChanges.add(userId, email, now())
      const language = languageOf(request.headers['accept-language'])
      await mailer?.send(newAddressMail({ name: user.name, email, token, publicUrl, language }))
    } catch (error) {
      const details = error instanceof MailError ? { reason: error.message } : { err: error }
      request.log.error(details, 'a link to another address is not sent')
    }
  }

  app.post('/api/auth/change-address/confirm', {
    preParsing,
    schema: {
      tags,
      security,
      summary: 'Change the address, by the link that was sent to the new one',
      description:
        'For whoever asked for it alone. The address before is told so, and not which one it is now.',
      body: confirmAddressBodySchema,
      response: { 200: userSchema, ...errorResponses('unauthenticated', 'invite_expired', 'already_exists') },
    },
    handler: async (request) => {
      const { userId } = callerOf(request)
      return limits.change(request, users.byId(userId)?.email ?? '', async () => {
        const { user, before } = accounts.changeAddress(userId, request.body.token, now())
        noteDone(request, userId, 'address changed', { userId })
        if (before.email !== user.email) tellOwner(request, 'leftAddress', before)
        return user
      })
    },
  })
}
