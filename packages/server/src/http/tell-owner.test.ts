import { passkeyCreationSchema, sessionSchema } from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import { createAuthenticator } from '../testing/authenticator.ts'
import { createHttpHarness, password, type HttpHarness, type Person } from '../testing/http-harness.ts'
import { openMailbox, openSilentMailServer } from '../testing/mailbox.ts'
import { changesPerHour } from './rate-limits.ts'

const publicUrl = 'https://t69.example'
const newPassword = 'a much better horse'
const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0'

const open = (smtpUrl: string, env: Readonly<Record<string, string>> = {}) =>
  createHttpHarness({ SMTP_URL: smtpUrl, MAIL_FROM: 't69@example.org', PUBLIC_URL: publicUrl, ...env })

/** Changes the password from a browser in Spanish. */
const change = ({ app }: HttpHarness, { session }: Person, headers: object = {}) =>
  app.inject({
    method: 'POST',
    url: '/api/auth/change-password',
    headers: { authorization: `Bearer ${session.accessToken}`, 'user-agent': firefox, ...headers },
    payload: { password, newPassword },
  })

async function addPasskey({ call }: Pick<Person, 'call'>): Promise<number> {
  const creation = await call('POST', '/api/auth/passkeys/creation', { password })
  const passkey = createAuthenticator(publicUrl).create(passkeyCreationSchema.parse(creation.body))
  return (await call('POST', '/api/auth/passkeys', { name: 'Laptop https://evil.example', passkey })).status
}

describe('the owner of an account', () => {
  it('is mailed that the password was changed, when, from where, and what to do about it', async () => {
    await using mailbox = await openMailbox()
    await using harness = await open(mailbox.url)
    const anna = await harness.signUp('Anna')
    const mail = mailbox.next()
    expect((await change(harness, anna)).statusCode).toBe(200)
    const text = await mail
    expect(text).toMatch(/^To: anna@example\.org\r$/m)
    expect(text).toMatch(/^Subject: The password of your t69 account was changed\r$/m)
    expect(text).toContain(`When: `)
    expect(text).toContain('From: Firefox, Linux, 127.0.0.1')
    expect(text).toContain('set another password at once')
    expect(text).not.toContain(newPassword)
  })

  it('is mailed in the language of the browser', async () => {
    await using mailbox = await openMailbox()
    await using harness = await open(mailbox.url)
    const mail = mailbox.next()
    await change(harness, await harness.signUp('Anna'), { 'accept-language': 'es' })
    expect(await mail).toContain('Desde: Firefox, Linux, 127.0.0.1')
  })

  it('is mailed that a link has set the password, and that a passkey was added, whose name is not in the mail', async () => {
    await using mailbox = await openMailbox()
    await using harness = await open(mailbox.url)
    const { user } = await harness.signUp('Anna')
    const { token } = harness.platform.passwordLinks.add(user.id, harness.clock.now)
    const changed = mailbox.next()
    const reply = await harness.anonymous('POST', '/api/auth/password-link', { token, newPassword: password })
    expect(await changed).toContain('Subject: The password of your t69 account was changed')

    const added = mailbox.next()
    const call = harness.withToken(sessionSchema.parse(reply.body).accessToken)
    expect(await addPasskey({ call })).toBe(201)
    expect(await added).toContain('Subject: A passkey was added to your t69 account')
    expect(await added).not.toContain('evil')
  })

  it.each([
    ['visit evil.example/1.0 (Windows NT 10.0)', 'From: Windows, 192.0.2.7'],
    ['evil.example/1.0', 'From: an unknown device, 192.0.2.7'],
  ])('is mailed no words of whoever made the change, who says to be %j', async (userAgent, from) => {
    await using mailbox = await openMailbox()
    await using harness = await open(mailbox.url, { TRUST_PROXY: 'true' })
    const anna = await harness.signUp('Anna')
    const mail = mailbox.next()
    await change(harness, anna, { 'user-agent': userAgent, 'x-forwarded-for': '192.0.2.7' })
    expect(await mail).toContain(from)
    expect(await mail).not.toContain('evil')
  })

  it('is mailed an address alone, also where the server takes it from a header that anybody can send', async () => {
    await using mailbox = await openMailbox()
    await using harness = await open(mailbox.url, { TRUST_PROXY: 'true' })
    const mail = mailbox.next()
    await change(harness, await harness.signUp('Anna'), { 'x-forwarded-for': 'visit evil.example' })
    expect(await mail).toContain('From: Firefox, Linux, 127.0.0.1')
  })

  it('has few mails an hour from an account that somebody else has made with their address', async () => {
    await using mailbox = await openMailbox()
    await using harness = await open(mailbox.url)
    let thief = await harness.signUp('Anna')
    const changeBack = async () => {
      const body = { password, newPassword: password }
      const reply = await thief.call('POST', '/api/auth/change-password', body)
      const { data: session } = sessionSchema.safeParse(reply.body)
      if (session !== undefined) thief = { ...thief, call: harness.withToken(session.accessToken) }
      return reply.status
    }
    for (let nr = 1; nr <= changesPerHour; nr++) expect(await changeBack()).toBe(200)
    expect(await changeBack()).toBe(429)
    // Nor by deleting the account, and making it again.
    expect((await thief.call('POST', '/api/auth/delete-account', { password })).status).toBe(204)
    thief = await harness.signUp('Anna')
    expect(await changeBack()).toBe(429)
    // Who reads the mail has the account, and its thief out, whatever they have used up.
    const { token } = harness.platform.passwordLinks.add(thief.user.id, harness.clock.now)
    const reply = await harness.anonymous('POST', '/api/auth/password-link', { token, newPassword })
    expect(reply.status).toBe(200)
    harness.clock.now += 60 * 60_000
    const { body } = await harness.anonymous('POST', '/api/auth/login', {
      email: 'anna@example.org',
      password: newPassword,
    })
    const { accessToken } = sessionSchema.parse(body)
    const again = { password: newPassword, newPassword: password }
    expect((await harness.withToken(accessToken)('POST', '/api/auth/change-password', again)).status).toBe(
      200,
    )
    await expect.poll(() => mailbox.mails).toHaveLength(changesPerHour + 2)
  })

  it('is not mailed what was refused', async () => {
    await using mailbox = await openMailbox()
    await using harness = await open(mailbox.url)
    const anna = await harness.signUp('Anna')
    const wrong = { password: 'guessed', newPassword }
    expect((await anna.call('POST', '/api/auth/change-password', wrong)).status).toBe(401)
    const mail = mailbox.next()
    expect(await addPasskey(anna)).toBe(201)
    expect(await mail).toContain('A passkey was added')
    expect(mailbox.mails).toHaveLength(1)
  })

  it('has changed it also where the mail server refuses or is silent, and the log names nobody', async () => {
    await using silent = await openSilentMailServer()
    await using slow = await open(silent.url)
    expect((await change(slow, await slow.signUp('Anna'))).statusCode).toBe(200)

    await using refusing = await openMailbox('recipient')
    await using harness = await open(refusing.url)
    expect((await change(harness, await harness.signUp('Anna'))).statusCode).toBe(200)
    await expect
      .poll(() => harness.errors)
      .toEqual([
        {
          reason: 'the mail server refuses the sender or the recipient (EENVELOPE 550)',
          change: 'passwordChanged',
        },
      ])
  })
})
