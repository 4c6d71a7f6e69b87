import type { User } from '@t69/protocol'
import type { PasskeyAssertion, SyncClient } from '@t69/sync-client'
import { createPasskeysApi, type NewPasskey, type Passkey } from '@t69/sync-client/passkeys'

import { codeOf } from '../../../model/error-text.ts'

type Client = Pick<SyncClient, 'call' | 'callAsNobody'>

/** Whether the browser has passkeys at this address: not over plain HTTP, for one. */
export function canUsePasskeys(): boolean {
  return 'PublicKeyCredential' in globalThis
}

/** Has the person show a passkey. Rejects with what to say about it. */
export async function askPasskey(client: Client, purpose: 'sign-in' | 'confirm'): Promise<PasskeyAssertion> {
  const { startAuthentication } = await import('@simplewebauthn/browser')
  const optionsJSON = await createPasskeysApi(client).request(purpose)
  return explained(() => startAuthentication({ optionsJSON }))
}

/** Has the person make a passkey, and adds it to the account. Rejects with what to say about it. */
export async function makePasskey(
  client: Client,
  { name, proof }: { readonly name: string; readonly proof: object },
): Promise<Passkey> {
  const { startRegistration } = await import('@simplewebauthn/browser')
  const api = createPasskeysApi(client)
  const optionsJSON = await api.creation(proof)
  const made = await explained(() => startRegistration({ optionsJSON }))
  try {
    return await api.add(name, made)
  } catch (error) {
    const added = await addedAfterAll(client, made)
    if (added !== undefined) return added
    // It was not the proof, which the server had before.
    if (codeOf(error) !== 'wrong_credentials') throw error
    throw new Error('The passkey does not fit, or that took too long. Try again.', { cause: error })
  }
}

/**
 * After adding a passkey failed: returns it if only the answer was lost. Otherwise the browser is told that nobody knows it, or it would
 * offer it at each sign-in. Where the server does not say, nothing is done.
 */
async function addedAfterAll(client: Client, made: NewPasskey): Promise<Passkey | undefined> {
  const passkeys = await createPasskeysApi(client)
    .list()
    .catch(() => null)
  const added = passkeys?.find(({ id }) => id === made.id)
  if (passkeys !== null && added === undefined) {
    const { sendSignal } = await import('@simplewebauthn/browser')
    // Some browsers cannot be told.
    await sendSignal({
      signalName: 'unknownCredential',
      rpID: location.hostname,
      credentialID: made.id,
    }).catch(() => {})
  }
  return added
}

/** After passkeys of an account were removed: has the browser offer no others of it than `kept` says are left. Never rejects. */
export async function offerOnly(
  user: Pick<User, 'id'>,
  kept: () => Promise<readonly Pick<Passkey, 'id'>[]> | readonly Pick<Passkey, 'id'>[],
): Promise<void> {
  if (!canUsePasskeys()) return
  try {
    const { bufferToBase64URLString, sendSignal } = await import('@simplewebauthn/browser')
    await sendSignal({
      signalName: 'allAcceptedCredentials',
      rpID: location.hostname,
      userID: bufferToBase64URLString(new TextEncoder().encode(user.id).buffer),
      allAcceptedCredentialIDs: (await kept()).map(({ id }) => id),
    })
  } catch {
    // Some browsers cannot be told. They offer what the server refuses.
  }
}

async function explained<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  try {
    return await ask()
  } catch (error) {
    throw new Error(problemOf(error), { cause: error })
  }
}

/** In words for the person, by the names of errors in WebAuthn. */
function problemOf(error: unknown): string {
  const name = error instanceof Error ? error.name : ''
  if (name === 'InvalidStateError') return 'There is a passkey for your account here already.'
  if (name === 'NotAllowedError' || name === 'AbortError')
    return 'No passkey was given: that was cancelled, or took too long.'
  return 'Passkeys do not work in this browser, or at this address.'
}
