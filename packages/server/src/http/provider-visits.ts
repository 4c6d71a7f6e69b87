import { createHmac } from 'node:crypto'

import { inviteTokenSchema, randomHexId, SyncError, userIdSchema, type UserId } from '@t69/protocol'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import { z } from 'zod'

import { createSignedNotes } from '../platform/signed-notes.ts'
import { basePathOf } from './base-path.ts'
import type { HttpConfig } from './http-config.ts'
import { isFromOwnPage } from './own-pages.ts'

/** How long somebody may be at the provider, in ms. */
const visitMs = 15 * 60_000
/** How long what came of a visit may be used, in ms. For a confirmation, time to read what is about to happen. */
const returnedMs = 5 * 60_000
/** How far the provider's clock may be behind, in ms. */
const maxSkewMs = 60_000
/** Visits that were used, as many as are remembered. */
const maxUsed = 10_000

const whySchema = z.discriminatedUnion('purpose', [
  z.object({ purpose: z.literal('sign-in'), invite: inviteTokenSchema.optional() }),
  z.object({ purpose: z.enum(['connect', 'confirm']), userId: userIdSchema, sessionId: z.string() }),
])
/** Why somebody goes to the provider. All but signing in is for one session of one account. */
export type VisitPurpose = z.output<typeof whySchema>

const visitSchema = z.discriminatedUnion('state', [
  z.object({
    state: z.literal('away'),
    why: whySchema,
    kept: z.object({ state: z.string(), nonce: z.string(), verifier: z.string() }),
    startedAt: z.number(),
  }),
  z.object({
    state: z.literal('returned'),
    /** Used once. */
    id: z.string(),
    why: whySchema,
    person: z.object({
      issuer: z.string(),
      subject: z.string(),
      email: z.string().optional(),
      name: z.string(),
      signedInAt: z.number().optional(),
    }),
    startedAt: z.number(),
  }),
])
type Visit = z.output<typeof visitSchema>
export type Away = Extract<Visit, { state: 'away' }>
export type Returned = Extract<Visit, { state: 'returned' }>

/**
 * What a browser keeps of a visit to the provider, in a signed cookie that scripts cannot read: only the browser that began a visit
 * can end it. The browser sends it when it comes back from another site, so it is `Lax`. It takes the place of an earlier one.
 */
export interface ProviderVisits {
  leave(reply: FastifyReply, visit: Omit<Away, 'state'>): void
  /** Undefined without a visit that is under way. */
  away(request: FastifyRequest): Away | undefined
  /** Puts who came back in the place of the visit. */
  comeBack(reply: FastifyReply, visit: Omit<Returned, 'state' | 'id'>): void
  /**
   * Who came back, for this purpose (and session): once, and for pages of this server only. Throws `forbidden` if nobody has, if it
   * took too long, or if it was used.
   */
  take(request: FastifyRequest, reply: FastifyReply, why: TakenFor): Returned
  clear(reply: FastifyReply): void
}

export type TakenFor =
  | { readonly purpose: 'sign-in' }
  | { readonly purpose: 'connect' | 'confirm'; readonly userId: UserId; readonly sessionId: string }

export function createProviderVisits(
  config: Pick<HttpConfig, 'publicUrl' | 'corsOrigins'>,
  { signingSecret, now }: { readonly signingSecret: string; readonly now: () => number },
): ProviderVisits {
  const notes = createSignedNotes(signingSecret, 'visits to the provider')
  // Servers on other ports of the host have the same cookies.
  const tag = createHmac('sha256', signingSecret).update('cookie name').digest('hex').slice(0, 12)
  const name = `t69_visit_${tag}`
  const attributes = {
    path: `${basePathOf(config.publicUrl)}/api/auth`,
    httpOnly: true,
    sameSite: 'lax',
    secure: config.publicUrl?.startsWith('https:') === true,
  } as const
  const used = new LRUCache<string, true>({ max: maxUsed })

  function keep(reply: FastifyReply, visit: Visit, forMs: number): void {
    const note = notes.write(visit, now() + forMs)
    void reply.setCookie(name, note, { ...attributes, maxAge: Math.floor(forMs / 1000) })
  }

  function visitOf(request: FastifyRequest): Visit | undefined {
    const note = request.cookies[name]
    return note === undefined ? undefined : visitSchema.safeParse(notes.read(note, now())).data
  }

  return {
    leave: (reply, visit) => keep(reply, { ...visit, state: 'away' }, visitMs),
    away(request) {
      const visit = visitOf(request)
      return visit?.state === 'away' ? visit : undefined
    },
    comeBack: (reply, visit) => keep(reply, { ...visit, state: 'returned', id: randomHexId() }, returnedMs),
    take(request, reply, why) {
      const visit = visitOf(request)
      const isFor = visit?.state === 'returned' && isSame(visit.why, why)
      if (!isFor || used.has(visit.id) || !isFromOwnPage(request, config)) {
        throw new SyncError('forbidden', 'That took too long, or was done already: begin again', {
          reason: 'too_late',
        })
      }
      used.set(visit.id, true)
      void reply.clearCookie(name, attributes)
      return visit
    },
    clear: (reply) => void reply.clearCookie(name, attributes),
  }
}

function isSame(a: VisitPurpose, b: TakenFor): boolean {
  if (a.purpose !== b.purpose) return false
  if (a.purpose === 'sign-in' || b.purpose === 'sign-in') return true
  return a.userId === b.userId && a.sessionId === b.sessionId
}

/** Whether the provider has asked them who they are since the visit began. It has to say when. */
export function isFresh(
  { signedInAt }: { readonly signedInAt?: number | undefined },
  startedAt: number,
): boolean {
  return signedInAt !== undefined && signedInAt >= startedAt - maxSkewMs
}
