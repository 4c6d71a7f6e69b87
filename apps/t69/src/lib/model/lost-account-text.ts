import type { User } from '@t69/protocol'
import type { LostAccount } from '@t69/sync-client'

import { plural } from './plural.ts'
import { shownLine } from './shown-text.ts'

/** The question whether the spaces of an account that the server has lost are those of the person who signed up again. */
export function lostAccountText({ user: former, spaces }: LostAccount, user: User): string {
  const kept = plural(spaces.length, [
    'This device keeps a space of an earlier account, %. The server has lost that account.',
    'This device keeps # spaces of an earlier account, %. The server has lost that account.',
  ]).replace('%', () => accountText(former))
  const now = `You are signed in with another one, ${accountText(user)}.`
  return `${kept} ${now}`
}

function accountText({ name, email }: Pick<User, 'name' | 'email'>): string {
  return name === '' ? `“${email}”` : `“${shownLine(name)}” (${email})`
}
