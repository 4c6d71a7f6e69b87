import { forgotPasswordBodySchema, SyncError } from '@t69/protocol'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'

import { languageOf } from '../mail/languages.ts'
import { passwordLinkMail } from '../mail/mails.ts'
import { MailError } from '../ports/mailer.ts'
import { createNoteDone } from './note-done.ts'
import { errorResponses } from './openapi.ts'
import { mailsPerHour, type SignInLimits } from './rate-limits.ts'
import type { HttpApp, RouteDeps } from './route.ts'
import { unseen } from './unseen.ts'

const hourMs = 60 * 60_000

/** The route by which somebody who forgot their password is sent a link to set another. */
export function forgottenPasswordRoutes(
  app: HttpApp,
  deps: RouteDeps,
  { limits }: { readonly limits: Pick<SignInLimits, 'mail'> },
): void {
  const { config, platform, mailer, now } = deps
  const noteDone = createNoteDone(deps)

  app.post('/api/auth/forgotten-password', {
    config: { rateLimit: false },
    schema: {
      tags: ['auth'],
      summary: 'Be sent a link to set another password',
      description:
        'Where the server sends mail (`GET /api/auth/registration`). The answer is the same, and comes as soon, whether there ' +
        'is an account with the address. Nothing changes until the link is used.',
      body: forgotPasswordBodySchema,
      response: {
        204: z.undefined().describe('Sent, if there is such an account'),
        ...errorResponses('not_found'),
      },
    },
    handler: async (request, reply) => {
      if (mailer === undefined) {
        throw new SyncError('not_found', 'This server sends no mail', { reason: 'not_offered' })
      }
      limits.mail(request, request.body.email)
      // What follows takes longer if there is an account.
      unseen(reply, deps.setTimer, () => void sendLink(request, request.body.email))
      return reply.code(204).send()
    },
  })

  /** Never rejects. What is logged names no address and no token. */
  async function sendLink(request: FastifyRequest, email: string): Promise<void> {
    try {
      const { publicUrl } = config
      const user = platform.users.byEmail(email)
      if (user === undefined || mailer === undefined || publicUrl === undefined) return
      // The limits of requests forget a mailbox when too many others are asked about.
      if (platform.passwordLinks.mailedSince(user.id, now() - hourMs) >= mailsPerHour) return
      const { token } = platform.passwordLinks.addMailed(user.id, now())
      const language = languageOf(request.headers['accept-language'])
      await mailer.send(passwordLinkMail({ email: user.email, token, publicUrl, language }))
      noteDone(request, undefined, 'link to set a password sent', { userId: user.id })
    } catch (error) {
      const reason = error instanceof MailError ? error.message : undefined
      request.log.error(
        reason === undefined ? { err: error } : { reason },
        'a link to set a password is not sent',
      )
    }
  }
}
