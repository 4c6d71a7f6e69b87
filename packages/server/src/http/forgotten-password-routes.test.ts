import { registrationSchema, sessionSchema } from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import { mailedLinkTtlMs } from '../platform/password-links.ts'
import { createHttpHarness, password, type HttpHarness } from '../testing/http-harness.ts'
import { openMailbox, openSilentMailServer, type Mailbox } from '../testing/mailbox.ts'

const path = '/api/auth/forgotten-password'
const email = 'anna@example.org'
const newPassword = 'a much better horse'
const publicUrl = 'https://t69.example/chat'

const withMail = (smtpUrl: string, env: Record<string, string> = {}) =>
  createHttpHarness({ SMTP_URL: smtpUrl, MAIL_FROM: 't69@example.org', PUBLIC_URL: publicUrl, ...env })

const ask = ({ anonymous }: HttpHarness, whose = email) => anonymous('POST', path, { email: whose })

/** Asks for a link, and returns the token in the mail. */
async function mailedToken(harness: HttpHarness, mailbox: Mailbox): Promise<string> {
  const mail = mailbox.next('#set-password=')
  expect((await ask(harness)).status).toBe(204)
  return tokenIn(await mail)
}

const tokenIn = (mail: string): string => /#set-password=([\w-]+)/.exec(mail)?.[1] ?? 'no token'

const setPassword = ({ anonymous }: HttpHarness, token: string, given = newPassword) =>
  anonymous('POST', '/api/auth/password-link', { token, newPassword: given })

describe('a link by mail to set another password', () => {
  it('goes to the address of the account, leads to the public address, and works once', async () => {
    await using mailbox = await openMailbox()
    await using harness = await withMail(mailbox.url)
    const anna = await harness.signUp('Anna')
    const token = await mailedToken(harness, mailbox)
    expect(mailbox.mails[0]).toMatch(/^To: anna@example.org\r$/m)
    expect(mailbox.mails[0]).toContain(`${publicUrl}/#set-password=${token}`)
    expect((await anna.call('GET', '/api/me')).status).toBe(200)

    const session = sessionSchema.parse((await setPassword(harness, token)).body)
    expect(session.user).toEqual(anna.user)
    expect((await anna.call('GET', '/api/me')).status).toBe(401)
    expect((await setPassword(harness, token)).status).toBe(410)
    const actions = harness.platform.audit.ofUser(anna.user.id, 2).map(({ action }) => action)
    expect(actions).toEqual(['password set by a link', 'link to set a password sent'])
  })

  it('proves the address, which a link of the operator does not', async () => {
    await using mailbox = await openMailbox()
    await using harness = await withMail(mailbox.url)
    const { user } = await harness.signUp('Anna')
    const { provenAddresses, passwordLinks } = harness.platform
    await setPassword(harness, passwordLinks.add(user.id, harness.clock.now).token)
    expect(provenAddresses.has(user.id)).toBe(false)
    await setPassword(harness, await mailedToken(harness, mailbox))
    expect(provenAddresses.has(user.id)).toBe(true)
  })

  it('ends no earlier link, and is good for an hour', async () => {
    await using mailbox = await openMailbox()
    await using harness = await withMail(mailbox.url)
    const { user } = await harness.signUp('Anna')
    const passedOn = harness.platform.passwordLinks.add(user.id, harness.clock.now).token
    const [first, second] = [await mailedToken(harness, mailbox), await mailedToken(harness, mailbox)]
    harness.clock.now += mailedLinkTtlMs - 1
    for (const token of [first, second, passedOn]) {
      const preview = await harness.anonymous('POST', '/api/auth/password-link/preview', { token })
      expect(preview.status).toBe(200)
    }
    harness.clock.now += 1
    expect((await setPassword(harness, second)).status).toBe(410)
    expect((await setPassword(harness, passedOn)).status).toBe(200)
  })

  it('is promised to everybody alike, and sent only where there is an account', async () => {
    await using mailbox = await openMailbox()
    await using harness = await withMail(mailbox.url)
    await harness.signUp('Anna')
    const unknown = await ask(harness, 'nobody@example.org')
    await mailedToken(harness, mailbox)
    expect(unknown).toEqual(await ask(harness))
    expect(mailbox.mails.join()).not.toContain('nobody')
  })

  it('is in the language that the browser asks for', async () => {
    await using mailbox = await openMailbox()
    await using harness = await withMail(mailbox.url)
    await harness.signUp('Anna')
    const mail = mailbox.next()
    const headers = { 'accept-language': 'es-MX,en;q=0.5' }
    await harness.app.inject({ method: 'POST', url: path, headers, payload: { email } })
    expect(await mail).toContain('Abre este enlace')
  })

  it('leads to the public address, whatever the request says of it', async () => {
    await using mailbox = await openMailbox()
    await using harness = await withMail(mailbox.url, { TRUST_PROXY: 'true' })
    await harness.signUp('Anna')
    const mail = mailbox.next()
    const forged = {
      host: 'evil.example',
      origin: 'https://evil.example',
      'x-forwarded-host': 'evil.example',
    }
    await harness.app.inject({ method: 'POST', url: path, headers: forged, payload: { email } })
    expect(await mail).toContain(publicUrl)
    expect(mailbox.mails.join()).not.toContain('evil')
  })

  it('is answered before the mail server is asked, which may refuse or be silent', async () => {
    await using silent = await openSilentMailServer()
    await using slow = await withMail(silent.url)
    await slow.signUp('Anna')
    expect((await ask(slow)).status).toBe(204)

    await using refusing = await openMailbox('recipient')
    await using harness = await withMail(refusing.url)
    await harness.signUp('Anna')
    expect((await ask(harness)).status).toBe(204)
    await expect
      .poll(() => harness.errors)
      .toEqual([{ reason: 'the mail server refuses the sender or the recipient (EENVELOPE 550)' }])
  })

  it('is sent to one mailbox a few times an hour, and signing in is not held up by that', async () => {
    await using mailbox = await openMailbox()
    await using harness = await withMail(mailbox.url)
    await harness.signUp('Anna')
    for (const whose of [email, 'nobody@example.org']) {
      for (let round = 0; round < 5; round++) expect((await ask(harness, whose)).status).toBe(204)
      expect(await ask(harness, whose)).toMatchObject({
        status: 429,
        body: { error: { code: 'rate_limited' } },
      })
    }
    expect((await harness.anonymous('POST', '/api/auth/login', { email, password })).status).toBe(200)
    harness.clock.now += 60 * 60_000
    expect((await ask(harness)).status).toBe(204)
  })

  it('is sent no more often than that though thousands of other mailboxes were asked about', async () => {
    await using mailbox = await openMailbox()
    await using harness = await withMail(mailbox.url)
    const { user } = await harness.signUp('Anna')
    for (let made = 0; made < 5; made++) harness.platform.passwordLinks.addMailed(user.id, harness.clock.now)
    expect((await ask(harness)).status).toBe(204)
    await harness.signUp('Ben')
    const next = mailbox.next()
    expect((await ask(harness, 'ben@example.org')).status).toBe(204)
    // What was asked for first has been done by then.
    await next
    expect(mailbox.mails.map((mail) => /^To: (.*)\r$/m.exec(mail)?.[1])).toEqual(['ben@example.org'])
  })

  it('is noted as asked for by nobody who is signed in', async () => {
    await using mailbox = await openMailbox()
    await using harness = await withMail(mailbox.url)
    const { user } = await harness.signUp('Anna')
    await mailedToken(harness, mailbox)
    await expect
      .poll(() => harness.platform.audit.ofUser(user.id, 1))
      .toMatchObject([
        { action: 'link to set a password sent', actorId: undefined, userId: user.id, address: '127.0.0.1' },
      ])
  })

  it('counts with the sign-ins of an address', async () => {
    await using mailbox = await openMailbox()
    await using harness = await withMail(mailbox.url, { SIGN_IN_LIMIT_PER_ADDRESS: '2' })
    for (const name of ['a', 'b']) expect((await ask(harness, `${name}@example.org`)).status).toBe(204)
    expect((await ask(harness, 'c@example.org')).status).toBe(429)
  })

  it('is offered only by a server that sends mail', async () => {
    const offer = async ({ anonymous }: HttpHarness) =>
      registrationSchema.parse((await anonymous('GET', '/api/auth/registration')).body).mailsLinks
    await using without = await createHttpHarness()
    expect(await offer(without)).toBe(false)
    expect(await ask(without)).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } })
    await using mailbox = await openMailbox()
    await using harness = await withMail(mailbox.url)
    expect(await offer(harness)).toBe(true)
  })
})
