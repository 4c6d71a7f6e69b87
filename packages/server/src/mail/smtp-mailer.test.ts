import { describe, expect, it } from 'vitest'

import { openMailbox, openSilentMailServer } from '../testing/mailbox.ts'
import { createSmtpMailer } from './smtp-mailer.ts'

const from = 't69 <t69@example.org>'
const mail = { to: 'anna@example.org', subject: 'Hello', text: 'The secret of the mail.' }

describe('mail', () => {
  it('is handed to the mail server, with sender and recipient', async () => {
    await using mailbox = await openMailbox()
    const mailer = createSmtpMailer({ smtpUrl: mailbox.url, from })
    await mailer.verify()
    await mailer.send(mail)
    expect(mailbox.mails).toHaveLength(1)
    expect(mailbox.mails[0]).toMatch(/^From: t69 <t69@example.org>\r$/m)
    expect(mailbox.mails[0]).toMatch(/^To: anna@example.org\r$/m)
    expect(mailbox.mails[0]).toMatch(/^Auto-Submitted: auto-generated\r$/m)
    expect(mailbox.mails[0]).toContain(mail.text)
  })

  it.each([
    ['recipient', 'the mail server refuses the sender or the recipient (EENVELOPE 550)'],
    ['password', 'the mail server refuses the name or the password (EAUTH 535)'],
  ] as const)('that is refused for the %s says so, and names nobody', async (refuses, message) => {
    await using mailbox = await openMailbox(refuses)
    const mailer = createSmtpMailer({ smtpUrl: mailbox.url, from })
    await expect(mailer.send(mail)).rejects.toMatchObject({ name: 'MailError', message })
    expect(mailbox.mails).toEqual([])
  })

  it('is handed over encrypted, unless the mail server is on this machine or its URL says otherwise', async () => {
    await using mailbox = await openMailbox()
    // Not a name of this machine, as far as it is known.
    const elsewhere = mailbox.url.replace('127.0.0.1', '[::ffff:127.0.0.1]')
    const mailer = createSmtpMailer({ smtpUrl: elsewhere, from })
    await expect(mailer.send(mail)).rejects.toThrow('the connection to the mail server cannot be encrypted')
    expect(mailbox.mails).toEqual([])
    await createSmtpMailer({ smtpUrl: `${elsewhere}?requireTLS=false`, from }).send(mail)
    expect(mailbox.mails).toHaveLength(1)
  })

  it('is given up when the mail server is silent, or is none', async () => {
    await using silent = await openSilentMailServer()
    const waits = { stepMs: 50, deadlineMs: 10_000 }
    const slow = createSmtpMailer({ smtpUrl: silent.url, from }, waits)
    await expect(slow.send(mail)).rejects.toThrow('the mail server does not answer in time (ETIMEDOUT)')
    await expect(slow.verify()).rejects.toThrow('does not answer in time')
    const late = createSmtpMailer({ smtpUrl: silent.url, from }, { stepMs: 10_000, deadlineMs: 50 })
    await expect(late.send(mail)).rejects.toThrow('does not answer in time')
    // With time to hear of the refusal, on a machine that stands still for a moment as well.
    const nowhere = createSmtpMailer({ smtpUrl: 'smtp://127.0.0.1:1', from })
    await expect(nowhere.send(mail)).rejects.toThrow('cannot be reached')
  })

  it('waits in a queue that has an end', async () => {
    await using silent = await openSilentMailServer()
    const mailer = createSmtpMailer({ smtpUrl: silent.url, from }, { stepMs: 1_000, deadlineMs: 1_000 })
    const sent = Array.from({ length: 103 }, () => mailer.send(mail))
    const all = Promise.allSettled(sent)
    await expect(sent[102]).rejects.toThrow('too many mails wait')
    mailer.close()
    const reasons = (await all).map((it) => (it.status === 'rejected' ? String(it.reason) : 'sent'))
    expect(reasons.filter((it) => it.includes('shutting down'))).toHaveLength(100)
  })
})
