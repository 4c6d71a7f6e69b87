import { bodyOf, type DialogReason, errorText, type OwnWords } from './error-text.ts'
import { shownLine } from './shown-text.ts'

/** `errorText` where somebody changes an account, a space's members or the server: dialogs and the admin page. */
export function refusalText(error: unknown, here: OwnWords = {}): string {
  return errorText(error, { ...words(bodyOf(error)?.names ?? []), ...here })
}

function words(names: readonly string[]): Readonly<Record<DialogReason, string>> {
  return {
    keeps_an_owner: 'A space keeps at least one owner. Make somebody else an owner first.',
    last_owner: lastOwnerWords(names),
    address_taken: 'There is already an account with that e-mail address.',
    last_way_in: 'You could not sign in any more. Set a password first.',
    too_many_passkeys: 'You have as many passkeys as an account may have. Remove one first.',
    passkey_known: 'There is a passkey for your account here already.',
    not_admin: 'Only an admin of this server may do that.',
    last_admin: 'This is the last admin. Make somebody else an admin first.',
    own_account: 'Your own account is deleted in the menu of your account.',
    too_many_invites: 'The space has as many invite links as it may have. Withdraw one first.',
  }
}

function lastOwnerWords(names: readonly string[]): string {
  if (names.length === 0)
    return 'You are the last owner of a space where others are too. Make somebody else an owner, or delete the space, first.'
  const { lang } = document.documentElement
  const list = new Intl.ListFormat(lang).format(names.map((name) => `“${shownLine(name)}”`))
  return `You are the last owner of ${list}, where others are too. Make somebody else an owner, or delete the space, first.`
}
