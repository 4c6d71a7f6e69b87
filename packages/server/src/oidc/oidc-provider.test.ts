import { describe, expect, it } from 'vitest'

import { openIdentityProvider, type IdentityProvider } from '../testing/identity-provider.ts'
import { createOidcProvider, type OidcSettings } from './oidc-provider.ts'

const publicUrl = 'https://t69.example'
const redirectUri = `${publicUrl}/api/auth/provider/callback`

const settingsOf = ({ env }: IdentityProvider): OidcSettings => ({
  issuer: env.OIDC_ISSUER,
  clientId: env.OIDC_CLIENT_ID,
  clientSecret: env.OIDC_CLIENT_SECRET,
  name: env.OIDC_NAME,
})

/** Goes there and comes back. */
async function visit(real: IdentityProvider, isFresh = false) {
  const provider = createOidcProvider(settingsOf(real))
  const { url, kept } = await provider.begin(redirectUri, isFresh)
  return { provider, kept, url: new URL(url), back: await real.visit(url) }
}

describe('a provider of OpenID Connect', () => {
  it('names the person, by the code flow with PKCE, state and nonce', async () => {
    await using real = await openIdentityProvider(publicUrl)
    const { provider, kept, url, back } = await visit(real)
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      response_type: 'code',
      code_challenge_method: 'S256',
      state: kept.state,
      nonce: kept.nonce,
    })
    expect(url.search).not.toContain(kept.verifier)
    expect(await provider.finish(back, kept)).toMatchObject({
      issuer: provider.issuer,
      subject: 'anna-1',
      email: 'anna@example.org',
      name: 'Anna',
    })
  })

  it('has one name, with the slash at its end or without', async () => {
    await using real = await openIdentityProvider(publicUrl)
    const bare = settingsOf(real).issuer.replace(/\/$/, '')
    const names = [bare, `${bare}/`].map(
      (issuer) => createOidcProvider({ ...settingsOf(real), issuer }).issuer,
    )
    expect(new Set(names).size).toBe(1)
  })

  it('says when the person signed in if that has to be new', async () => {
    await using real = await openIdentityProvider(publicUrl)
    const before = Date.now()
    const { provider, kept, back } = await visit(real, true)
    const { signedInAt } = await provider.finish(back, kept)
    expect(signedInAt).toBeGreaterThan(before - 2_000)
  })

  it('vouches for no address that it has not verified', async () => {
    await using real = await openIdentityProvider(publicUrl)
    real.signsIn = { ...real.signsIn, email_verified: false }
    const { provider, kept, back } = await visit(real)
    expect(await provider.finish(back, kept)).toMatchObject({ subject: 'anna-1', email: undefined })
  })

  it('is not believed with another state, nonce, verifier or issuer', async () => {
    await using real = await openIdentityProvider(publicUrl)
    const changed: [RegExp, (kept: { state: string; nonce: string; verifier: string }) => object][] = [
      [/state/, () => ({ state: 'another' })],
      [/nonce/, () => ({ nonce: 'another' })],
      [/invalid_grant/, ({ verifier }) => ({ verifier: verifier.toLowerCase() })],
    ]
    for (const [why, change] of changed) {
      const { provider, kept, back } = await visit(real)
      await expect(provider.finish(back, { ...kept, ...change(kept) })).rejects.toThrow(why)
    }
    const { provider, kept, back } = await visit(real)
    const elsewhere = new URL(back)
    elsewhere.searchParams.set('iss', 'https://evil.example')
    await expect(provider.finish(elsewhere.href, kept)).rejects.toThrow(/iss/)

    // The provider calls itself by another name than the settings do.
    const issuer = real.env.OIDC_ISSUER.replace('127.0.0.1', 'localhost')
    const other = createOidcProvider({ ...settingsOf(real), issuer })
    await expect(other.begin(redirectUri, false)).rejects.toMatchObject({ name: 'ProviderError' })
  })

  it('takes a code once', async () => {
    await using real = await openIdentityProvider(publicUrl)
    const { provider, kept, back } = await visit(real)
    await provider.finish(back, kept)
    await expect(provider.finish(back, kept)).rejects.toThrow(/invalid_grant/)
  })

  it('may say no, or be down, and is asked again afterwards', async () => {
    await using real = await openIdentityProvider(publicUrl)
    real.isDown = true
    const provider = createOidcProvider(settingsOf(real))
    await expect(provider.begin(redirectUri, false)).rejects.toMatchObject({
      name: 'ProviderError',
      isDeclined: false,
    })
    real.isDown = false
    real.declines = true
    const { url, kept } = await provider.begin(redirectUri, false)
    await expect(provider.finish(await real.visit(url), kept)).rejects.toMatchObject({ isDeclined: true })
  })
})
