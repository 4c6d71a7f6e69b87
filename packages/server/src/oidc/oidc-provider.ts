import type { Configuration } from 'openid-client'
import { z } from 'zod'

import { type ProviderPerson, ProviderError, type SignInProvider } from '../ports/sign-in-provider.ts'

/** How long the provider may take for one answer, in seconds. */
const timeoutSeconds = 10

export interface OidcSettings {
  /** HTTPS, or on this machine. */
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  /** For people. */
  readonly name: string
}

/** Providers say these things in the ID token, or only when they are asked for them. */
const claimsSchema = z.object({
  sub: z.string().min(1).max(255),
  email: z.string().optional().catch(undefined),
  email_verified: z.boolean().optional().catch(undefined),
  name: z.string().optional().catch(undefined),
  preferred_username: z.string().optional().catch(undefined),
  auth_time: z.number().optional().catch(undefined),
})

/**
 * A provider of OpenID Connect, by the authorization code flow with PKCE, state and nonce. It is asked about itself when somebody
 * first wants to sign in, and again until it answers: the server starts, and goes on, without it.
 */
export function createOidcProvider({
  issuer: setting,
  clientId,
  clientSecret,
  name,
}: OidcSettings): SignInProvider {
  // Providers write a slash at the end of their name, or none.
  const issuer = new URL(setting).href
  let discovered: Promise<Configuration> | undefined

  async function discover(): Promise<Configuration> {
    const client = await import('openid-client')
    const isPlain = issuer.startsWith('http:')
    return client.discovery(new URL(issuer), clientId, undefined, client.ClientSecretBasic(clientSecret), {
      timeout: timeoutSeconds,
      ...(isPlain && { execute: [client.allowInsecureRequests] }),
    })
  }

  async function configuration(): Promise<Configuration> {
    discovered ??= discover()
    try {
      return await discovered
    } catch (error) {
      discovered = undefined
      throw error
    }
  }

  return {
    name,
    issuer,
    begin: (redirectUri, isFresh) =>
      explained(async () => {
        const config = await configuration()
        const client = await import('openid-client')
        const verifier = client.randomPKCECodeVerifier()
        const kept = { state: client.randomState(), nonce: client.randomNonce(), verifier }
        const url = client.buildAuthorizationUrl(config, {
          redirect_uri: redirectUri,
          scope: 'openid email profile',
          code_challenge: await client.calculatePKCECodeChallenge(verifier),
          code_challenge_method: 'S256',
          state: kept.state,
          nonce: kept.nonce,
          ...(isFresh && { prompt: 'login', max_age: '0' }),
        })
        return { url: url.href, kept }
      }),
    finish: (url, kept) =>
      explained(async () => {
        const config = await configuration()
        const client = await import('openid-client')
        const tokens = await client.authorizationCodeGrant(config, new URL(url), {
          pkceCodeVerifier: kept.verifier,
          expectedState: kept.state,
          expectedNonce: kept.nonce,
          idTokenExpected: true,
        })
        const signed = tokens.claims()
        if (signed === undefined) throw new ProviderError('the provider names nobody')
        const isAsked =
          signed['email'] === undefined && config.serverMetadata().userinfo_endpoint !== undefined
        const more = isAsked ? await client.fetchUserInfo(config, tokens.access_token, signed.sub) : {}
        // Of a provider of many organizations, each has a name of its own.
        if (new URL(signed.iss).href !== issuer) throw new ProviderError('another issuer answers')
        return personOf(issuer, claimsSchema.parse({ ...more, ...signed }))
      }),
  }
}

function personOf(issuer: string, claims: z.output<typeof claimsSchema>): ProviderPerson {
  const {
    sub: subject,
    email,
    email_verified: isVerified,
    name,
    preferred_username: handle,
    auth_time: at,
  } = claims
  return {
    issuer,
    subject,
    email: isVerified === true ? email : undefined,
    name: name ?? handle ?? '',
    signedInAt: at === undefined ? undefined : at * 1000,
  }
}

async function explained<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ProviderError || !(error instanceof Error)) throw error
    const text = (key: string): string => {
      const value: unknown = Reflect.get(error, key)
      return typeof value === 'string' ? value : ''
    }
    const cause = error.cause instanceof Error ? error.cause.message : ''
    const reason = [text('code'), text('error'), error.message, cause].filter((it) => it !== '').join(': ')
    throw new ProviderError(reason, text('error') === 'access_denied')
  }
}
