import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

import { isoCBOR } from '@simplewebauthn/server/helpers'
import type { NewPasskey, PasskeyAssertion, PasskeyCreation, PasskeyRequest } from '@t69/protocol'

/** What an authenticator says that is not as it should be. */
export interface Oddities {
  readonly origin?: string
  readonly rpId?: string
  readonly challenge?: string
  readonly counter?: number
  readonly userHandle?: string
  /** Whether it has asked who the person is. */
  readonly isVerified?: boolean
  /** The passkey that answers, by id. Default: the newest that may. */
  readonly id?: string
  /** What the authenticator itself calls a passkey that it makes. Default: its id. */
  readonly rawId?: Buffer
  /** The format of the attestation, and its statement. */
  readonly attestation?: readonly [format: string, statement: Map<string, unknown>]
}

/** A browser at `origin` with an authenticator that makes passkeys (ES256) and answers with them, as WebAuthn says. */
export interface Authenticator {
  create(options: PasskeyCreation, oddities?: Oddities): NewPasskey
  get(options: PasskeyRequest, oddities?: Oddities): PasskeyAssertion
}

const type = 'public-key'
const sha256 = (data: string | Buffer): Buffer => createHash('sha256').update(data).digest()

export function createAuthenticator(origin: string): Authenticator {
  const keys: { id: string; privateKey: KeyObject; userHandle: string; counter: number }[] = []

  const clientData = (kind: string, challenge: string, odd: Oddities): Buffer =>
    Buffer.from(
      JSON.stringify({ type: kind, challenge: odd.challenge ?? challenge, origin: odd.origin ?? origin }),
    )

  function authenticatorData(
    rpId: string,
    odd: Oddities,
    counter: number,
    attested = Buffer.alloc(0),
  ): Buffer {
    const present = 1
    const verified = odd.isVerified === false ? 0 : 4
    const flags = present | verified | (attested.length > 0 ? 64 : 0)
    const numbers = Buffer.alloc(5)
    numbers.writeUInt8(flags)
    numbers.writeUInt32BE(odd.counter ?? counter, 1)
    return Buffer.concat([sha256(odd.rpId ?? rpId), numbers, attested])
  }

  return {
    create({ challenge, rp, user }, odd = {}) {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
      // COSE: an elliptic key, for ES256, of the curve P-256.
      const cose = new Map<number, number | Uint8Array>([
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, new Uint8Array(Buffer.from(x, 'base64url'))],
        [-3, new Uint8Array(Buffer.from(y, 'base64url'))],
      ])
      const rawId = randomBytes(32)
      const attestedId = odd.rawId ?? rawId
      const length = Buffer.alloc(2)
      length.writeUInt16BE(attestedId.length)
      const attested = Buffer.concat([Buffer.alloc(16), length, attestedId, isoCBOR.encode(cose)])
      const [format, statement] = odd.attestation ?? ['none', new Map<string, unknown>()]
      const attestation = new Map<string, unknown>([
        ['fmt', format],
        ['attStmt', statement],
        ['authData', new Uint8Array(authenticatorData(rp.id, odd, 0, attested))],
      ])
      const id = rawId.toString('base64url')
      keys.push({ id, privateKey, userHandle: user.id, counter: 0 })
      return {
        id,
        rawId: id,
        type,
        response: {
          clientDataJSON: clientData('webauthn.create', challenge, odd).toString('base64url'),
          attestationObject: Buffer.from(isoCBOR.encode(attestation as never)).toString('base64url'),
        },
      }
    },
    get({ challenge, rpId, allowCredentials }, odd = {}) {
      const mayAnswer = (id: string): boolean =>
        odd.id === undefined
          ? allowCredentials.length === 0 || allowCredentials.some((it) => it.id === id)
          : odd.id === id
      const key = keys.findLast(({ id }) => mayAnswer(id))
      if (key === undefined) throw new Error('the authenticator has no such passkey')
      key.counter++
      const client = clientData('webauthn.get', challenge, odd)
      const data = authenticatorData(rpId, odd, key.counter)
      return {
        id: key.id,
        rawId: key.id,
        type,
        response: {
          clientDataJSON: client.toString('base64url'),
          authenticatorData: data.toString('base64url'),
          signature: sign('sha256', Buffer.concat([data, sha256(client)]), key.privateKey).toString(
            'base64url',
          ),
          userHandle: odd.userHandle ?? key.userHandle,
        },
      }
    },
  }
}
