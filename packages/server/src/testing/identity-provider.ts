import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { Provider } from 'oidc-provider'

/** Who signs in at the provider. */
export interface ProviderAccount {
  readonly sub: string
  readonly email: string
  readonly email_verified: boolean
  readonly name?: string
}

/** A real provider of OpenID Connect in this process. Its page of sign-in has one button, for whoever `signsIn`. */
export interface IdentityProvider extends AsyncDisposable {
  /** `OIDC_ISSUER` and the other settings. */
  readonly env: Readonly<
    Record<'OIDC_ISSUER' | 'OIDC_CLIENT_ID' | 'OIDC_CLIENT_SECRET' | 'OIDC_NAME', string>
  >
  /** Who presses the button next. */
  signsIn: ProviderAccount
  /** Whether the person goes back without signing in. */
  declines: boolean
  /** Whether the provider answers at all. */
  isDown: boolean
  /** Signs in there, as a browser without cookies would, and returns the address that it is sent back to. */
  visit(url: string): Promise<string>
}

const client = { id: 't69', secret: randomBytes(16).toString('hex') }

/** Sends people back to `publicUrl` alone. */
export async function openIdentityProvider(publicUrl: string): Promise<IdentityProvider> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const accounts = new Map<string, ProviderAccount>()

  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: client.id,
        client_secret: client.secret,
        redirect_uris: [`${publicUrl}/api/auth/provider/callback`],
      },
    ],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    ttl: { AccessToken: 600, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
    cookies: { keys: [randomBytes(16).toString('hex')] },
    features: { devInteractions: { enabled: false } },
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ ...accounts.get(id), sub: id }) }),
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    async loadExistingGrant({ oidc }) {
      const grant = new oidc.provider.Grant({
        clientId: oidc.client?.clientId ?? '',
        accountId: oidc.session?.accountId ?? '',
      })
      grant.addOIDCScope('openid email profile')
      await grant.save()
      return grant
    },
  })
  const answer = provider.callback()

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (opened.isDown) return void response.writeHead(503).end()
    if (request.url?.startsWith('/interaction/') !== true) return void answer(request, response)
    if (request.method === 'POST') {
      const { sub } = opened.signsIn
      accounts.set(sub, opened.signsIn)
      const result = opened.declines
        ? { error: 'access_denied', error_description: 'The person said no' }
        : { login: { accountId: sub } }
      return provider.interactionFinished(request, response, result)
    }
    response.writeHead(200, { 'content-type': 'text/html' })
    response.end(
      '<!doctype html><title>Sign in</title><form method="post"><button id="continue">Continue</button></form>',
    )
  }
  server.on('request', (request, response) => void serve(request, response))

  const opened: IdentityProvider = {
    env: {
      OIDC_ISSUER: issuer,
      OIDC_CLIENT_ID: client.id,
      OIDC_CLIENT_SECRET: client.secret,
      OIDC_NAME: 'Example',
    },
    signsIn: { sub: 'anna-1', email: 'anna@example.org', email_verified: true, name: 'Anna' },
    declines: false,
    isDown: false,
    async visit(url) {
      const cookies = new Map<string, string>()
      let at = new URL(url)
      let method = 'GET'
      while (at.origin === issuer) {
        const cookie = Array.from(cookies, ([name, value]) => `${name}=${value}`).join('; ')
        const response = await fetch(at, { method, redirect: 'manual', headers: { cookie } })
        for (const text of response.headers.getSetCookie()) {
          const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(text) ?? []
          cookies.set(name, value)
        }
        const location = response.headers.get('location')
        if (location === null && method === 'POST') throw new Error(await response.text())
        method = location === null ? 'POST' : 'GET'
        if (location !== null) at = new URL(location, at)
      }
      return at.href
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return opened
}
