import type { Mail } from '../ports/mailer.ts'
import { linkTo } from './password-link-mail.ts'

/** The mail to the address that an account is to have, with the link that makes it so. */
export function newAddressMail(
  { name }: { readonly name: string },
  { email, token, publicUrl }: { readonly email: string; readonly token: string; readonly publicUrl: string },
): Mail {
  const text = `${oneLine(name)} wants to use ${email} for an account at ${publicUrl}.

If that is you, open this link within an hour, where you are signed in:

${linkTo(publicUrl, 'confirm-address', token)}

If it is not you, you need not do anything.
`
  return { to: email, subject: 'Confirm your address for t69', text }
}

/** The note to the address that an account had. It does not say which one it has now. */
export function leftAddressMail({ email }: { readonly email: string }, publicUrl: string): Mail {
  const text = `Your account at ${publicUrl} has another e-mail address now. Nothing is sent to ${email} any more.

If it was not you who changed it, tell whoever runs the server.
`
  return { to: email, subject: 'Your t69 account has another address', text }
}

/** What somebody calls themselves must not look like more of the mail. */
function oneLine(name: string): string {
  return name.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').slice(0, 60)
}
