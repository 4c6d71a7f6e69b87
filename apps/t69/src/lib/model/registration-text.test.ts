import { expect, test } from 'vitest'

import { registrationText } from './registration-text.ts'

test.each([
  [null, false, '', ''],
  [{ mode: 'open', hasAccounts: true }, false, '', ''],
  [{ mode: 'invite', hasAccounts: true }, true, '', ''],
  [{ mode: 'invite', hasAccounts: true }, false, 'by invite only', ''],
  [{ mode: 'invite', hasAccounts: false }, false, '', 'first account'],
  [{ mode: 'closed', hasAccounts: true }, true, 'no new accounts', ''],
  [{ mode: 'closed', hasAccounts: false }, false, 'no new accounts', ''],
] as const)('registration %j, invited: %s, reads “%s”, “%s”', (registration, isInvited, refusal, note) => {
  const text = registrationText(registration, isInvited)
  expect(text.refusal === '').toBe(refusal === '')
  expect(text.refusal).toContain(refusal)
  expect(text.note === '').toBe(note === '')
  expect(text.note).toContain(note)
})
