/** A mail of plain text. */
export interface Mail {
  /** One address. */
  readonly to: string
  readonly subject: string
  readonly text: string
}

export interface Mailer {
  /** Resolves once the mail server has taken the mail. Rejects with `MailError`, after half a minute at the latest. */
  send(mail: Mail): Promise<void>
  /** Connects and signs in, and sends nothing. Rejects with `MailError`. */
  verify(): Promise<void>
  close(): void
}

/** A mail was not sent. `message` says why, and names neither an address nor what is in the mail. */
export class MailError extends Error {
  override readonly name = 'MailError'
}
