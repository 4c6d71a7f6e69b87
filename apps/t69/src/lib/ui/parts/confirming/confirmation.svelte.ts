import type { Proof, SyncClient, WaysToSignIn } from '@t69/sync-client'

import type { OwnWords } from '../../../model/error-text.ts'
import { refusalText } from '../../../model/refusal-text.ts'
import { askPasskey, canUsePasskeys } from './passkey.ts'

/** Nothing was given that could show who asks. */
class NoProof extends Error {}

/**
 * How the user shows that it is they who ask: by the password, by a passkey, or by having just come back from the provider. Shown by
 * `Confirm.svelte`.
 */
export class Confirmation {
  readonly #client: SyncClient
  /** The user has just signed in to the provider again, and nothing was done by it yet. */
  #isVisited = $state(false)
  #loading: Promise<void> = Promise.resolve()
  #isAbandoned = false
  /** What the last proof was. */
  #by: 'password' | 'passkey' | 'visit' = 'password'
  /** Null until the server says it. Nearly everybody has a password. */
  ways = $state.raw<WaysToSignIn | null>(null)
  password = $state('')

  constructor(client: SyncClient, isVisited = false) {
    this.#client = client
    this.#isVisited = isVisited
  }

  get hasPassword(): boolean {
    return this.ways?.hasPassword ?? true
  }

  get hasPasskeys(): boolean {
    return (this.ways?.passkeys ?? 0) > 0 && canUsePasskeys()
  }

  /** Whether a passkey is asked for, where no password is given. */
  get asksPasskey(): boolean {
    return this.hasPasskeys && (this.hasPassword || !this.#isVisited)
  }

  get provider(): NonNullable<WaysToSignIn['provider']> | null {
    return this.ways?.provider ?? null
  }

  /** Whether a visit to the provider would show it. */
  get mayVisit(): boolean {
    return !this.hasPassword && this.provider?.isConnected === true && !this.#isVisited
  }

  /** Whether nothing but such a visit would. */
  get mustVisit(): boolean {
    return this.mayVisit && !this.hasPasskeys
  }

  /** Why nothing that is here could show it; empty while something could. */
  get missing(): string {
    if (this.hasPassword || this.hasPasskeys || this.#isVisited || this.mayVisit) return ''
    return (this.ways?.passkeys ?? 0) > 0
      ? 'Only a passkey can show that it is you, and passkeys do not work in this browser, or at this address. Use another browser, or ask whoever runs this server for a link to set a password.'
      : 'You have neither a password nor a passkey here that could show that it is you. Ask whoever runs this server for a link to set a password.'
  }

  /** Asks how the user may sign in: at first, and when something was done. Without an answer, the password is asked for. */
  load(): Promise<void> {
    this.#isAbandoned = false
    if (this.#by === 'visit') this.#isVisited = false
    this.#loading = this.#askWays()
    return this.#loading
  }

  async #askWays(): Promise<void> {
    this.ways = await this.#client.waysToSignIn().catch(() => null)
  }

  /** The dialog is gone. Nothing is done by a proof that somebody waits for. */
  abandon(): void {
    this.#isAbandoned = true
  }

  /**
   * Rejects if nothing is given that could show it, or the dialog is gone: `problemOf` says what to say. Waits for the server's word, so
   * that nobody is asked for a password that they do not have.
   */
  async proof(): Promise<Proof> {
    await this.#loading
    if (this.#isAbandoned || this.mustVisit || this.missing !== '') throw new NoProof()
    const { password } = this
    this.#by = 'password'
    if (this.hasPassword && password !== '') return { password }
    // Also whoever has just been there, where the server does not say whether they have a password.
    if (this.#isVisited && (this.ways === null || !this.hasPassword)) {
      this.#by = 'visit'
      return {}
    }
    if (!this.hasPasskeys) throw new NoProof()
    this.#by = 'passkey'
    const passkey = await askPasskey(this.#client, 'confirm')
    if (this.#isAbandoned) throw new NoProof()
    return { passkey }
  }

  /** What to give. Empty where the dialog says all the time what is needed. */
  #request(): string {
    return this.mustVisit || this.missing !== '' ? '' : 'Enter your current password.'
  }

  /** Why something was not done that took the proof. `here` is as for `errorText`. */
  problemOf(error: unknown, here: OwnWords = {}): string {
    if (error instanceof NoProof) return this.#request()
    switch (this.#by) {
      case 'password':
        return refusalText(error, { wrong_credentials: 'That is not your current password.', ...here })
      case 'passkey': {
        const unknown = 'The passkey does not fit, or that took too long. Try again.'
        return refusalText(error, { wrong_credentials: unknown, too_late: unknown, ...here })
      }
      case 'visit':
        return refusalText(error, {
          // Somebody else has signed in there, or the provider does not say when.
          wrong_credentials: 'That did not show that it is you. Close this, and try again.',
          too_late: 'That took too long. Close this, and confirm again that it is you.',
          ...here,
        })
    }
  }
}
