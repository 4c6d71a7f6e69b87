import { z } from 'zod'

import {
  emailSchema,
  inviteTokenSchema,
  newPasswordSchema,
  presentPasswordSchema,
  sessionKindSchema,
} from './http.ts'
import { newPasskeySchema, passkeyAssertionSchema, passkeyIdSchema } from './passkey.ts'

/**
 * The bodies of the routes by which somebody changes how they sign in, or deletes their account. Apart from `http.ts`, because no page
 * needs their schemas to open. Times are Unix milliseconds.
 */

/**
 * Shows that it is the account's owner who asks: somebody who finds a device unlocked has the session, but neither the password nor
 * a passkey. An account without a password takes neither of them from somebody who has just signed in to the provider again.
 */
export const proofSchema = z.object({
  password: presentPasswordSchema.optional(),
  /** For a challenge to confirm. */
  passkey: passkeyAssertionSchema.optional(),
})
export type Proof = z.infer<typeof proofSchema>

export const changePasswordBodySchema = proofSchema.extend({
  newPassword: newPasswordSchema,
  session: sessionKindSchema,
})
export const changeAddressBodySchema = proofSchema.extend({ email: emailSchema })

/**
 * Why somebody goes to the provider: to sign in or up, to connect it with their account (which takes a proof), or to confirm that it
 * is they who ask.
 */
export const visitProviderBodySchema = z.discriminatedUnion('purpose', [
  z.object({ purpose: z.literal('sign-in'), invite: inviteTokenSchema.optional() }),
  proofSchema.extend({ purpose: z.literal('connect') }),
  z.object({ purpose: z.literal('confirm') }),
])
export type VisitProvider = z.input<typeof visitProviderBodySchema>

/** To sign in, or to confirm that it is the caller who asks. */
export const passkeyChallengeBodySchema = z.object({ purpose: z.enum(['sign-in', 'confirm']) })
export const passkeySignInBodySchema = z.object({
  passkey: passkeyAssertionSchema,
  session: sessionKindSchema,
})
export const addPasskeyBodySchema = z.object({
  name: z
    .string()
    .trim()
    .overwrite((text) => text.toWellFormed())
    .min(1)
    .max(100),
  passkey: newPasskeySchema,
})
export const removePasskeyBodySchema = proofSchema.extend({ id: passkeyIdSchema })

/** A passkey of the caller. */
export const passkeySchema = z.object({
  id: z.string(),
  /** What its owner calls it. */
  name: z.string(),
  createdAt: z.int(),
  /** Null for one that was never used. */
  lastUsedAt: z.int().nullable(),
})
export type Passkey = z.infer<typeof passkeySchema>
/** The oldest first. */
export const passkeyListSchema = z.object({ passkeys: z.array(passkeySchema) })
