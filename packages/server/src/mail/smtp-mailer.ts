import pLimit from 'p-limit'

import { isHere } from '../ports/is-here.ts'
import { type Mailer, MailError } from '../ports/mailer.ts'

/** How long the mail server may take for one step, in ms: to connect, to greet, to answer. */
const stepMs = 10_000
/** How long a mail may take, in ms, whatever the mail server does meanwhile. */
const deadlineMs = 30_000
/** Mails that are sent at once, and mails that may wait. */
const atOnce = 2
const maxWaiting = 100

/** Sends mail through the server at `smtpUrl`. The library is loaded with the first mail. */
export function createSmtpMailer(
  { smtpUrl, from }: { readonly smtpUrl: string; readonly from: string },
  waits: { readonly stepMs: number; readonly deadlineMs: number } = { stepMs, deadlineMs },
): Mailer {
  const limit = pLimit(atOnce)
  let isClosed = false

  async function open() {
    const { createTransport } = await import('nodemailer')
    const timeouts = {
      connectionTimeout: waits.stepMs,
      greetingTimeout: waits.stepMs,
      socketTimeout: waits.stepMs,
      dnsTimeout: waits.stepMs,
    }
    return createTransport(
      // Whoever is on the way could take out that the mail server offers it. A parameter of the URL comes first.
      { requireTLS: !isHere(smtpUrl), url: smtpUrl, ...timeouts },
      // RFC 3834: nobody's notice of being away answers it.
      {
        from,
        headers: { 'Auto-Submitted': 'auto-generated' },
        disableFileAccess: true,
        disableUrlAccess: true,
      },
    )
  }

  async function run(work: (transport: Awaited<ReturnType<typeof open>>) => Promise<unknown>): Promise<void> {
    if (isClosed) throw new MailError('the server is shutting down')
    const transport = await open()
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => late.reject(new MailError(tooSlow)), waits.deadlineMs)
    timer.unref()
    try {
      await Promise.race([work(transport), late.promise])
    } catch (error) {
      throw mailErrorOf(error)
    } finally {
      clearTimeout(timer)
      transport.close()
    }
  }

  return {
    async send(mail) {
      if (limit.pendingCount >= maxWaiting) throw new MailError('too many mails wait to be sent')
      return limit(() => run((transport) => transport.sendMail(mail)))
    },
    verify: () => run((transport) => transport.verify()),
    close() {
      isClosed = true
    },
  }
}

const tooSlow = 'the mail server does not answer in time'

/** What the library says of a failure names the addresses of the mail. Its codes do not. */
function mailErrorOf(error: unknown): MailError {
  if (error instanceof MailError) return error
  if (!(error instanceof Error)) return new MailError('the mail server cannot be used')
  const code = 'code' in error ? error.code : undefined
  const responseCode = 'responseCode' in error ? error.responseCode : undefined
  const codes = [code, responseCode]
    .filter((it) => typeof it === 'string' || typeof it === 'number')
    .join(' ')
  return new MailError(
    `${sentences[String(code)] ?? 'the mail server cannot be used'} (${codes || error.name})`,
  )
}

const sentences: Readonly<Record<string, string>> = {
  EAUTH: 'the mail server refuses the name or the password',
  ENOAUTH: 'the mail server wants a name and a password',
  EENVELOPE: 'the mail server refuses the sender or the recipient',
  EMESSAGE: 'the mail server refuses the mail',
  ETLS: 'the connection to the mail server cannot be encrypted',
  ETIMEDOUT: tooSlow,
  ECONNECTION: 'the mail server cannot be reached',
  ECONNREFUSED: 'the mail server cannot be reached',
  ESOCKET: 'the mail server cannot be reached',
  EPROTOCOL: 'what answers is no mail server, or one that refuses to talk',
  EDNS: 'the name of the mail server is not known',
}
