/** What is kept of a visit to the provider while the person is there. For the browser that began it, and nobody else. */
export interface KeptVisit {
  /** Comes back in the address. */
  readonly state: string
  /** Comes back in what the provider signs. */
  readonly nonce: string
  /** Shows the provider that whoever fetches the answer began the visit (PKCE). */
  readonly verifier: string
}

/** Somebody, as the provider vouches for them. */
export interface ProviderPerson {
  readonly issuer: string
  /** The provider's own name for the person, which never changes. */
  readonly subject: string
  /** Absent unless the provider says that it has verified the address. */
  readonly email?: string | undefined
  /** Empty if the provider names none. */
  readonly name: string
  /** When they signed in to the provider, in Unix milliseconds; absent if it does not say so. */
  readonly signedInAt?: number | undefined
}

/** Where people may sign in instead of with a password. */
export interface SignInProvider {
  /** Its name for people. */
  readonly name: string
  readonly issuer: string
  /**
   * Begins a visit: the address to send the browser to, and what to keep meanwhile. With `isFresh`, the provider asks who they
   * are even if they are signed in there. Rejects with `ProviderError`.
   */
  begin(redirectUri: string, isFresh: boolean): Promise<{ readonly url: string; readonly kept: KeptVisit }>
  /**
   * Who has come back to `url`, the address with the provider's answer. Rejects with `ProviderError` for a visit that was not
   * begun here, or was answered before, and for whatever does not hold in the answer.
   */
  finish(url: string, kept: KeptVisit): Promise<ProviderPerson>
}

/** The provider cannot be used, or its answer does not hold. `message` is for the log, and has no token. */
export class ProviderError extends Error {
  override readonly name = 'ProviderError'
  /** The person said no there. */
  readonly isDeclined: boolean

  constructor(message: string, isDeclined = false) {
    super(message)
    this.isDeclined = isDeclined
  }
}
