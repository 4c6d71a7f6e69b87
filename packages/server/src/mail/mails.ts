import type { Mail } from '../ports/mailer.ts'
import type { Language } from './languages.ts'
import { mailTexts } from './mail-texts.ts'

/** What a link is for, as the app reads it in the address. */
export type LinkPurpose = 'sign-up' | 'set-password' | 'confirm-address'

/** The address of a page where a link does something. The token is after the #, so that it is in no log of a server. */
export function linkTo(publicUrl: string, does: LinkPurpose, token: string): string {
  return `${publicUrl}/#${does}=${token}`
}

interface About {
  readonly email: string
  readonly publicUrl: string
  readonly language: Language
}

/** The mail with a link to set another password, to whoever has the account. */
export function passwordLinkMail(about: About & { readonly token: string }): Mail {
  const link = linkTo(about.publicUrl, 'set-password', about.token)
  return mailOf('password', about, { link })
}

/** The mail to the address that an account is to have, with the link that makes it so. `name` is who asks. */
export function newAddressMail(about: About & { readonly name: string; readonly token: string }): Mail {
  const link = linkTo(about.publicUrl, 'confirm-address', about.token)
  return mailOf('newAddress', about, { link, name: oneLine(about.name) })
}

/** The note to the address that an account had. It does not say which one it has now. */
export function leftAddressMail(about: About): Mail {
  return mailOf('leftAddress', about, {})
}

function mailOf(
  kind: keyof (typeof mailTexts)[Language],
  { email, publicUrl, language }: About,
  more: Readonly<Record<string, string>>,
): Mail {
  const { subject, paragraphs } = mailTexts[language][kind]
  const values: Readonly<Record<string, string>> = { email, url: publicUrl, ...more }
  const text = paragraphs.join('\n\n').replaceAll(/\{(\w+)\}/g, (_, key: string) => values[key] ?? '')
  return { to: email, subject, text: `${text}\n` }
}

/** What somebody calls themselves must not look like more of the mail, nor like a link. */
function oneLine(name: string): string {
  return (
    name
      .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
      // Programs make links of names of hosts, too.
      .replaceAll(/[/:@]|\.(?=\S)/g, ' ')
      .slice(0, 60)
  )
}
