import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'

import { SMTPServer, type SMTPServerOptions } from 'smtp-server'

/** A real mail server of this process, which keeps what it is sent. */
export interface Mailbox extends AsyncDisposable {
  /** For `SMTP_URL`, with a name and a password. */
  readonly url: string
  /** Each mail as it came, headers included, without soft line breaks. */
  readonly mails: string[]
  /** Resolves with the next mail that comes and has the text. */
  next(text?: string): Promise<string>
}

export const mailAccount = { user: 't69', pass: 'the password of the mail server' }

/** `refuses` names what it refuses: everybody's password, or every recipient. */
export async function openMailbox(refuses?: 'password' | 'recipient'): Promise<Mailbox> {
  const mails: string[] = []
  const waiting = new Set<(mail: string) => void>()
  const refusal = (text: string) => Object.assign(new Error(text), { responseCode: 550 })
  const options: SMTPServerOptions = {
    disabledCommands: ['STARTTLS'],
    authOptional: false,
    allowInsecureAuth: true,
    onAuth({ username, password }, _session, done) {
      const isRight = username === mailAccount.user && password === mailAccount.pass
      if (isRight && refuses !== 'password') done(null, { user: username })
      else done(new Error('No such name and password'))
    },
    onRcptTo: ({ address }, _session, done) =>
      done(refuses === 'recipient' ? refusal(`No mailbox ${address} here`) : null),
    onData(stream, _session, done) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const mail = plainOf(Buffer.concat(chunks).toString())
        mails.push(mail)
        for (const hear of waiting) hear(mail)
        done()
      })
    },
  }
  const server = new SMTPServer(options)
  server.on('error', () => {})
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  return {
    url: urlAt(server.server.address() as AddressInfo),
    mails,
    next: (text = '') =>
      new Promise((resolve) => {
        waiting.add(function hear(mail) {
          if (!mail.includes(text)) return
          waiting.delete(hear)
          resolve(mail)
        })
      }),
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(resolve)),
  }
}

/** A mail server that takes connections and never says a word. */
export async function openSilentMailServer(): Promise<AsyncDisposable & { readonly url: string }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => void sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: urlAt(server.address() as AddressInfo),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function urlAt({ port }: AddressInfo): string {
  return `smtp://${mailAccount.user}:${encodeURIComponent(mailAccount.pass)}@127.0.0.1:${port}`
}

/** Undoes quoted-printable and base64, in which the text of a mail may be. */
function plainOf(mail: string): string {
  const [head = '', ...rest] = mail.split('\r\n\r\n')
  const body = rest.join('\r\n\r\n')
  if (/base64/i.test(head)) return `${head}\r\n\r\n${Buffer.from(body, 'base64').toString()}`
  if (!/quoted-printable/i.test(head)) return mail
  const bytes = body
    .replaceAll(/=\r\n/g, '')
    .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return `${head}\r\n\r\n${Buffer.from(bytes, 'latin1').toString()}`
}
