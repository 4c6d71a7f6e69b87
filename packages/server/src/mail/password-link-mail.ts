import type { Mail } from '../ports/mailer.ts'

/** What a link is for, as the app reads it in the address. */
export type LinkPurpose = 'sign-up' | 'set-password' | 'confirm-address'

/** The address of a page where a link does something. The token is after the #, so that it is in no log of a server. */
export function linkTo(publicUrl: string, does: LinkPurpose, token: string): string {
  return `${publicUrl}/#${does}=${token}`
}

/** The mail with a link to set another password, to whoever has the account. */
export function passwordLinkMail(
  { email }: { readonly email: string },
  link: { readonly token: string; readonly publicUrl: string },
): Mail {
  const text = `Somebody, most likely you, asked for a new password for the account ${email} at ${link.publicUrl}.

Open this link within an hour to set one. It works once:

${linkTo(link.publicUrl, 'set-password', link.token)}

If it was not you, you need not do anything: your password stays as it is. Do not pass the link on.
`
  return { to: email, subject: 'Set a new password for t69', text }
}
