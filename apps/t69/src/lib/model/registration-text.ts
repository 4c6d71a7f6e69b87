import type { Registration } from '@t69/protocol'

/** What somebody who wants to sign up has to know first. */
export interface RegistrationText {
  /** Why they cannot sign up; empty if they can. */
  readonly refusal: string
  readonly note: string
}

/** `registration` is null while the server has not said it. Then it says so when somebody signs up. */
export function registrationText(
  registration: Pick<Registration, 'mode' | 'hasAccounts'> | null,
  isInvited: boolean,
): RegistrationText {
  if (registration?.mode === 'closed') return { refusal: 'This server takes no new accounts.', note: '' }
  if (registration?.mode !== 'invite') return { refusal: '', note: '' }
  if (!registration.hasAccounts) {
    return {
      refusal: '',
      note: 'This is the first account of this server. Everybody after you needs an invite.',
    }
  }
  const refusal =
    'This server takes new accounts by invite only. Ask somebody who is here for an invite link, and open it.'
  return { refusal: isInvited ? '' : refusal, note: '' }
}
