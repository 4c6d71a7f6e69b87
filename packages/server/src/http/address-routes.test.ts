import { join } from 'node:path'

import { sessionSchema, waysToSignInSchema } from '@t69/protocol'
import Sqlite from 'better-sqlite3'
import { describe, expect, it } from 'vitest'

import { addressChangeTtlMs } from '../platform/address-changes.ts'
import { createHttpHarness, password, type HttpHarness, type Person } from '../testing/http-harness.ts'
import { openMailbox, type Mailbox } from '../testing/mailbox.ts'

const publicUrl = 'https://t69.example'
const next = 'anna@new.example'

const open = (mailbox: Mailbox) =>
  createHttpHarness({ SMTP_URL: mailbox.url, MAIL_FROM: 't69@example.org', PUBLIC_URL: publicUrl })

const ask = (person: Person, email = next, given: object = { password }) =>
  person.call('POST', '/api/auth/change-address', { email, ...given })

/** Asks for the change, and returns the token in the mail. */
async function mailedToken(person: Person, mailbox: Mailbox, email = next): Promise<string> {
  const mail = mailbox.next('#confirm-address=')
  expect((await ask(person, email)).status).toBe(204)
  const text = await mail
  expect(text).toContain(`To: ${email}`)
  return /https:\/\/t69\.example\/#confirm-address=([\w-]+)/.exec(text)?.[1] ?? 'no token'
}

const confirm = (person: Person, token: string) =>
  person.call('POST', '/api/auth/change-address/confirm', { token })

const signIn = async ({ anonymous }: HttpHarness, email: string) =>
  (await anonymous('POST', '/api/auth/login', { email, password })).status

const over = { status: 410, body: { error: { code: 'invite_expired' } } }

describe('another address of an account', () => {
  it('takes the password and a link to the new address, and the one before is told', async () => {
    await using mailbox = await openMailbox()
    await using harness = await open(mailbox)
    const anna = await harness.signUp('Anna')
    const wrong = { status: 401, body: { error: { code: 'wrong_credentials' } } }
    expect(await ask(anna, next, {})).toMatchObject(wrong)
    expect(await ask(anna, next, { password: 'guessed' })).toMatchObject(wrong)
    const token = await mailedToken(anna, mailbox)
    expect((await anna.call('GET', '/api/me')).body).toMatchObject(anna.user)

    const note = mailbox.next()
    expect(await confirm(anna, token)).toEqual({ status: 200, body: { ...anna.user, email: next } })
    expect([await signIn(harness, anna.user.email), await signIn(harness, next)]).toEqual([401, 200])
    expect(harness.platform.provenAddresses.has(anna.user.id)).toBe(true)
    expect(await note).toContain('To: anna@example.org')
    expect(await note).not.toContain(next)
    expect(await confirm(anna, token)).toMatchObject(over)
    expect(harness.platform.audit.ofUser(anna.user.id, 1)).toMatchObject([{ action: 'address changed' }])
  })

  it('is of no use to whoever reads mail there by mistake, signed in as somebody else or not at all', async () => {
    await using mailbox = await openMailbox()
    await using harness = await open(mailbox)
    const [anna, ben] = [await harness.signUp('Anna'), await harness.signUp('Ben')]
    const token = await mailedToken(anna, mailbox)
    expect(await confirm(ben, token)).toMatchObject(over)
    expect((await harness.anonymous('POST', '/api/auth/change-address/confirm', { token })).status).toBe(401)
    expect((await harness.anonymous('POST', '/api/auth/password-link/preview', { token })).status).toBe(404)
    expect((await confirm(anna, token)).status).toBe(200)
  })

  it('that somebody has is answered like any other, and is refused if it was taken meanwhile', async () => {
    await using mailbox = await openMailbox()
    await using harness = await open(mailbox)
    const [anna, ben] = [await harness.signUp('Anna'), await harness.signUp('Ben')]
    const taken = await ask(anna, ben.user.email)
    const token = await mailedToken(anna, mailbox)
    expect(taken).toEqual({ status: 204, body: undefined })
    expect(mailbox.mails.join()).not.toContain('To: ben@')
    const again = await mailedToken(anna, mailbox)
    expect(await confirm(anna, token)).toMatchObject(over)
    await harness.anonymous('POST', '/api/auth/register', { email: next, password, name: 'Quick' })
    expect(await confirm(anna, again)).toMatchObject({
      status: 409,
      body: { error: { code: 'already_exists' } },
    })
    expect((await anna.call('GET', '/api/me')).body).toMatchObject(anna.user)
  })

  it('is not had by a link that is too old, or from before the password was changed', async () => {
    await using mailbox = await openMailbox()
    await using harness = await open(mailbox)
    const anna = await harness.signUp('Anna')
    const old = await mailedToken(anna, mailbox)
    harness.clock.now += addressChangeTtlMs
    const login = await harness.anonymous('POST', '/api/auth/login', { email: anna.user.email, password })
    const fresh = { ...anna, call: harness.withToken(sessionSchema.parse(login.body).accessToken) }
    expect(await confirm(fresh, old)).toMatchObject(over)

    const token = await mailedToken(fresh, mailbox)
    const body = { password, newPassword: 'a much better horse' }
    const changed = sessionSchema.parse((await fresh.call('POST', '/api/auth/change-password', body)).body)
    expect(await confirm({ ...anna, call: harness.withToken(changed.accessToken) }, token)).toMatchObject(
      over,
    )
  })

  it('ends the links that were sent to the one before', async () => {
    await using mailbox = await openMailbox()
    await using harness = await open(mailbox)
    const anna = await harness.signUp('Anna')
    const { token } = harness.platform.passwordLinks.addMailed(anna.user.id, harness.clock.now)
    await confirm(anna, await mailedToken(anna, mailbox))
    const preview = await harness.anonymous('POST', '/api/auth/password-link/preview', { token })
    expect(preview.status).toBe(410)
  })

  it('proves the address that the account has', async () => {
    await using mailbox = await openMailbox()
    await using harness = await open(mailbox)
    const anna = await harness.signUp('Anna')
    const { email } = anna.user
    expect((await confirm(anna, await mailedToken(anna, mailbox, email))).status).toBe(200)
    expect(harness.platform.provenAddresses.has(anna.user.id)).toBe(true)
    expect(harness.platform.users.deletedWith(email)).toEqual([])
    expect(mailbox.mails).toHaveLength(1)
  })

  it('[SI9] [SI11] gives up the one before: no seal with it brings the account back, and whoever has it next is somebody else', async () => {
    await using mailbox = await openMailbox()
    await using harness = await open(mailbox)
    const anna = await harness.signUp('Anna')
    await confirm(anna, await mailedToken(anna, mailbox))
    const login = await harness.anonymous('POST', '/api/auth/login', { email: next, password })
    const { seal: newest } = sessionSchema.parse(login.body)
    // The server loses the account, and keeps its notes.
    const db = new Sqlite(join(harness.dataDir, 'platform.sqlite'))
    db.exec('delete from users; delete from user_deletions')
    db.close()
    const register = async (email: string, seal: string) => {
      const body = { email, password, name: 'Somebody', seal }
      return sessionSchema.parse((await harness.anonymous('POST', '/api/auth/register', body)).body)
    }
    const other = await register(anna.user.email, anna.session.seal)
    expect(other.user.id).not.toBe(anna.user.id)
    const { call } = { call: harness.withToken(other.accessToken) }
    const asked = await call('POST', `/api/accounts/${anna.user.id}`, { seal: anna.session.seal })
    expect(asked.body).toEqual({ state: 'deleted' })
    expect((await register(next, newest)).user.id).toBe(anna.user.id)
  })

  it('cannot be had where no mail is sent, which the server says', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    expect(await ask(anna)).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } })
    const ways = waysToSignInSchema.parse((await anna.call('GET', '/api/me/ways-to-sign-in')).body)
    expect(ways).toEqual({ hasPassword: true, canChangeAddress: false })
  })

  it('is asked for a few times an hour, so that nobody has strangers mailed', async () => {
    await using mailbox = await openMailbox()
    await using harness = await open(mailbox)
    const anna = await harness.signUp('Anna')
    for (let round = 0; round < 5; round++)
      expect((await ask(anna, `a${round}@new.example`)).status).toBe(204)
    expect((await ask(anna, 'a5@new.example')).status).toBe(429)
    const ben = await harness.signUp('Ben')
    for (let round = 0; round < 5; round++) expect((await ask(ben)).status).toBe(204)
    const cleo = await harness.signUp('Cleo')
    expect((await ask(cleo)).status).toBe(429)
  })

  it('leaves whoever has the address the links that they ask for', async () => {
    await using mailbox = await openMailbox()
    await using harness = await open(mailbox)
    const anna = await harness.signUp('Anna')
    const ben = await harness.signUp('Ben')
    for (let round = 0; round < 5; round++) expect((await ask(ben, anna.user.email)).status).toBe(204)
    const mail = mailbox.next()
    const { email } = anna.user
    const forgot = await harness.anonymous('POST', '/api/auth/forgotten-password', { email })
    expect(forgot.status).toBe(204)
    expect(await mail).toContain(`To: ${email}`)
  })
})
