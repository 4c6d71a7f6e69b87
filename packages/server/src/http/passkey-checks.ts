import {
  type NewPasskey,
  type PasskeyAssertion,
  type PasskeyCreation,
  passkeyCreationSchema,
  type PasskeyRequest,
  passkeyRequestSchema,
  SyncError,
  type User,
  type UserId,
} from '@t69/protocol'
import type { FastifyBaseLogger } from 'fastify'

import type { PasskeyKey, Passkeys } from '../platform/passkeys.ts'
import { challengeMs, type ChallengePurpose, createPasskeyChallenges } from './passkey-challenges.ts'
import type { RelyingParty } from './relying-party.ts'

type Purpose = ChallengePurpose & { readonly purpose: 'sign-in' | 'confirm' }
type Adding = ChallengePurpose & { readonly purpose: 'add' }
type Log = Pick<FastifyBaseLogger, 'warn'>

/** Asks browsers for passkeys of this server, and checks what they answer (WebAuthn). */
export interface PasskeyChecks {
  /** The host name that passkeys are for. */
  readonly rpId: string
  /** What to ask the browser for: with `userId`, one of the account's passkeys. */
  request(why: Purpose): Promise<PasskeyRequest>
  /** What to ask the browser for, to make a passkey for an account. */
  creation(why: Adding, user: User): Promise<PasskeyCreation>
  /**
   * Whose passkey answers the request, and which one it is. Notes that it was used. Throws `wrong_credentials` for what does not hold,
   * and says why in the log of the request; `forbidden` for a challenge that was answered before.
   */
  owner(
    why: Purpose,
    answer: PasskeyAssertion,
    log: Log,
  ): Promise<{ readonly userId: UserId; readonly passkeyId: string }>
  /** The passkey that was made. Throws like `owner`. */
  made(why: Adding, answer: NewPasskey, log: Log): Promise<PasskeyKey>
}

/** EdDSA, ES256 and RS256, by their numbers in COSE. What is newer is experimental in Node. */
const supportedAlgorithmIDs = [-8, -7, -257]

export function createPasskeyChecks(deps: {
  readonly passkeys: Passkeys
  readonly relyingParty: RelyingParty
  readonly now: () => number
}): PasskeyChecks {
  const { passkeys, relyingParty, now } = deps
  const { rpId, origin } = relyingParty
  const challenges = createPasskeyChallenges(now)
  const expected = { expectedOrigin: origin, expectedRPID: rpId, requireUserVerification: true }
  // Large, and few servers need it at their start.
  const library = () => import('@simplewebauthn/server')

  function refused(log: Log, reason: string): SyncError {
    log.warn({ reason }, 'a passkey is refused')
    return new SyncError('wrong_credentials', 'This passkey does not fit, or took too long: try again')
  }

  function notOurs(): never {
    throw new Error('the challenge is too old, or not one for this')
  }

  /** What the library throws says what does not hold in the answer. */
  async function holds<Result>(log: Log, check: () => Promise<Result>): Promise<Result> {
    try {
      return await check()
    } catch (error) {
      throw refused(log, error instanceof Error ? error.message.slice(0, 200) : '')
    }
  }

  return {
    rpId,
    async request(why) {
      const { generateAuthenticationOptions } = await library()
      const options = await generateAuthenticationOptions({
        rpID: rpId,
        challenge: challenges.make(why),
        timeout: challengeMs,
        userVerification: 'required',
        allowCredentials: 'userId' in why ? passkeys.idsOf(why.userId, rpId).map((id) => ({ id })) : [],
      })
      return passkeyRequestSchema.parse(options)
    },
    async creation(why, user) {
      const { generateRegistrationOptions } = await library()
      const options = await generateRegistrationOptions({
        rpName: 't69',
        rpID: rpId,
        userID: new TextEncoder().encode(user.id),
        userName: user.email,
        userDisplayName: user.name,
        challenge: challenges.make(why),
        timeout: challengeMs,
        attestationType: 'none',
        supportedAlgorithmIDs,
        excludeCredentials: passkeys.idsOf(user.id, rpId).map((id) => ({ id })),
        authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      })
      return passkeyCreationSchema.parse(options)
    },
    async owner(why, answer, log) {
      const found = passkeys.find(answer.id, rpId)
      if (found === undefined) throw refused(log, 'nobody has it')
      const { userId, ...credential } = found
      if ('userId' in why && why.userId !== userId) throw refused(log, 'it is of another account')
      const { userHandle, ...response } = answer.response
      // Whoever signs in is named by the passkey alone.
      const isNamed = typeof userHandle === 'string'
      if (isNamed ? Buffer.from(userHandle, 'base64url').toString() !== userId : why.purpose === 'sign-in') {
        throw refused(log, 'it names another account')
      }
      const { verifyAuthenticationResponse } = await library()
      const counter = await challenges.answer(why, (isExpected) =>
        holds(log, async () => {
          const { verified, authenticationInfo } = await verifyAuthenticationResponse({
            ...expected,
            response: { ...answer, response, clientExtensionResults: {} },
            expectedChallenge: (challenge) => isExpected(challenge) || notOurs(),
            credential,
          })
          if (!verified) throw new Error('the signature is wrong')
          return authenticationInfo.newCounter
        }),
      )
      // Checking took a while.
      if (!passkeys.noteUse(credential, counter, now()))
        throw refused(log, 'it was removed or used meanwhile')
      return { userId, passkeyId: credential.id }
    },
    async made(why, answer, log) {
      const { verifyRegistrationResponse } = await library()
      const { decodeAttestationObject } = await import('@simplewebauthn/server/helpers')
      return challenges.answer(why, (isExpected) =>
        holds(log, async () => {
          const attestation = Buffer.from(answer.response.attestationObject, 'base64url')
          const decoded = decodeAttestationObject(new Uint8Array(attestation))
          // Nobody was asked for certificates, and checking those would fetch what they name.
          const isPlain = decoded.get('fmt') === 'none'
          const isSelfMade =
            decoded.get('fmt') === 'packed' && decoded.get('attStmt').get('x5c') === undefined
          if (!isPlain && !isSelfMade) throw new Error('it comes with certificates')
          const { verified, registrationInfo } = await verifyRegistrationResponse({
            ...expected,
            response: { ...answer, clientExtensionResults: {} },
            expectedChallenge: (challenge) => isExpected(challenge) || notOurs(),
            supportedAlgorithmIDs,
          })
          if (!verified) throw new Error('the signature is wrong')
          const { id, publicKey, counter } = registrationInfo.credential
          // The library compares them nowhere. One that no route takes could be neither used nor removed.
          if (id !== answer.id) throw new Error('it has another id than it says')
          return { id, publicKey, counter }
        }),
      )
    },
  }
}
