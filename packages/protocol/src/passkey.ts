import { z } from 'zod'

/**
 * What browsers and the server tell each other about passkeys (WebAuthn), in the JSON of that standard. Only what the server reads is
 * here. Times are Unix milliseconds.
 */

function base64url(maxLength: number) {
  return z
    .string()
    .max(maxLength)
    .regex(/^[\w-]+$/, 'must be base64url')
}

/** The authenticator's name for the passkey: up to 1,023 bytes. */
export const passkeyIdSchema = base64url(1_364)
const credential = { id: passkeyIdSchema, rawId: passkeyIdSchema, type: z.literal('public-key') }

/** Shows that somebody has a passkey (`AuthenticationResponseJSON`). */
export const passkeyAssertionSchema = z.object({
  ...credential,
  response: z.object({
    clientDataJSON: base64url(8_000),
    authenticatorData: base64url(4_000),
    signature: base64url(8_000),
    userHandle: base64url(100).nullish(),
  }),
})
export type PasskeyAssertion = z.infer<typeof passkeyAssertionSchema>

/** A passkey that was just made (`RegistrationResponseJSON`). */
export const newPasskeySchema = z.object({
  ...credential,
  response: z.object({ clientDataJSON: base64url(8_000), attestationObject: base64url(16_000) }),
})
export type NewPasskey = z.infer<typeof newPasskeySchema>

const descriptor = z.object({ id: z.string(), type: z.literal('public-key') })
const asked = { challenge: z.string(), timeout: z.number() }

/** What the browser is asked for, to show that somebody has a passkey (`PublicKeyCredentialRequestOptionsJSON`). */
export const passkeyRequestSchema = z.object({
  ...asked,
  rpId: z.string(),
  /** Empty for any passkey that the browser has for this server. */
  allowCredentials: z.array(descriptor),
  userVerification: z.literal('required'),
})
export type PasskeyRequest = z.infer<typeof passkeyRequestSchema>

/** What the browser is asked for, to make a passkey (`PublicKeyCredentialCreationOptionsJSON`). */
export const passkeyCreationSchema = z.object({
  ...asked,
  rp: z.object({ id: z.string(), name: z.string() }),
  user: z.object({ id: z.string(), name: z.string(), displayName: z.string() }),
  pubKeyCredParams: z.array(z.object({ alg: z.number(), type: z.literal('public-key') })),
  /** Those that the account has. */
  excludeCredentials: z.array(descriptor),
  authenticatorSelection: z.object({
    residentKey: z.literal('required'),
    requireResidentKey: z.literal(true),
    userVerification: z.literal('required'),
  }),
  attestation: z.literal('none'),
})
export type PasskeyCreation = z.infer<typeof passkeyCreationSchema>
