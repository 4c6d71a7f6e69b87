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

export type AccountChange = 'leftAddress' | 'passwordChanged' | 'passkeyAdded' | 'providerConnected'

/**
 * From where somebody changed an account: names of known programs and systems that the device says it has, and its IP address. Neither
 * may be words that somebody chose. `at` is Unix milliseconds.
 */
export interface Circumstances {
  readonly at: number
  readonly device: readonly string[]
  readonly address: string
}

/**
 * The note that somebody's way into an account has changed, to its address, or to the one that it had, which is not told the new one.
 * `provider` is the name of the one that was connected.
 */
export function changeMail(
  change: AccountChange,
  about: About & Circumstances & { readonly provider?: string },
): Mail {
  const { circumstances, unknownDevice, advice } = mailTexts[about.language]
  const format = { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' } as const
  const when = `${new Intl.DateTimeFormat(about.language, format).format(about.at)} (UTC)`
  // The names of programs and systems are the same in every language.
  const device = about.device.join(', ') || unknownDevice
  const values = { when, device, address: about.address, provider: about.provider ?? '' }
  return mailOf(change, about, { ...values, circumstances: filled(circumstances, values), advice })
}

function mailOf(
  kind: AccountChange | 'password' | 'newAddress',
  { email, publicUrl, language }: About,
  more: Readonly<Record<string, string>>,
): Mail {
  const { subject, paragraphs } = mailTexts[language][kind]
  const values: Readonly<Record<string, string>> = { email, url: publicUrl, ...more }
  return { to: email, subject, text: `${filled(paragraphs.join('\n\n'), values)}\n` }
}

function filled(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\{(\w+)\}/g, (_, key: string) => values[key] ?? '')
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
