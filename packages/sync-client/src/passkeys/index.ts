import {
  type NewPasskey,
  type Passkey,
  type PasskeyCreation,
  passkeyCreationSchema,
  passkeyListSchema,
  type PasskeyRequest,
  passkeyRequestSchema,
  passkeySchema,
  type Proof,
} from '@t69/protocol'
import { z } from 'zod'

import type { SyncClient } from '../api.ts'

export type { NewPasskey, Passkey, PasskeyCreation, PasskeyRequest }

/**
 * The passkeys of the user who is signed in, and what to ask the browser for (WebAuthn, in its JSON). What comes of that counts once,
 * within five minutes. Every call throws as `SyncClient.call` does, and `not_found` where the server knows no passkeys.
 */
export interface PasskeysApi {
  /** The oldest first. */
  list(): Promise<Passkey[]>
  /** For `SyncClient.signInWithPasskey`, or for the proof that something takes. */
  request(purpose: 'sign-in' | 'confirm'): Promise<PasskeyRequest>
  /** For `add`. Throws like `SyncClient.changePassword`. */
  creation(proof: Proof): Promise<PasskeyCreation>
  /** Throws `wrong_credentials` for one that does not fit, and `forbidden` if there are too many. */
  add(name: string, passkey: NewPasskey): Promise<Passkey>
  /** Throws `forbidden` if the user could not sign in any more, and like `SyncClient.changePassword`. */
  remove(id: string, proof: Proof): Promise<void>
}

const path = '/api/auth/passkeys'
/** For a call that the server answers with nothing. */
const nothing = z.undefined()

export function createPasskeysApi(client: Pick<SyncClient, 'call' | 'callAsNobody'>): PasskeysApi {
  return {
    list: async () => (await client.call({ method: 'GET', path }, passkeyListSchema)).passkeys,
    request(purpose) {
      const asked = { method: 'POST', path: `${path}/challenge`, body: { purpose } } as const
      return purpose === 'sign-in'
        ? client.callAsNobody(asked, passkeyRequestSchema)
        : client.call(asked, passkeyRequestSchema)
    },
    creation: (proof) =>
      client.call({ method: 'POST', path: `${path}/creation`, body: proof }, passkeyCreationSchema),
    add: (name, passkey) => client.call({ method: 'POST', path, body: { name, passkey } }, passkeySchema),
    remove: (id, proof) =>
      client.call({ method: 'POST', path: `${path}/remove`, body: { id, ...proof } }, nothing),
  }
}
