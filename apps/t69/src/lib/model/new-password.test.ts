import { registerBodySchema } from '@t69/protocol'
import { expect, test } from 'vitest'

import { newPasswordProblem } from './new-password.ts'

test.each([
  ['seven letters', 'x'.repeat(7), false],
  ['eight letters', 'x'.repeat(8), true],
  ['four emoji of two code units', '😂'.repeat(4), false],
  ['eight emoji', '😂'.repeat(8), true],
  ['seven letters with accents of their own', 'e\u0301'.repeat(7), false],
  ['256 emoji', '😂'.repeat(256), true],
  ['256 letters with accents of their own', 'e\u0301'.repeat(256), true],
  ['257 letters', 'x'.repeat(257), false],
])(
  'the app and the server agree on whether a new password has 8 to 256 characters: %s',
  (_what, password, isGood) => {
    expect(newPasswordProblem(password) === '').toBe(isGood)
    const body = { email: 'anna@example.org', name: 'Anna', password }
    expect(registerBodySchema.safeParse(body).success).toBe(isGood)
  },
)
