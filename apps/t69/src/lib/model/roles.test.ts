import { roleSchema } from '@t69/protocol'
import { expect, test } from 'vitest'

import { isInviteRole, isRole, roleChoices, roleTitle } from './roles.ts'

test('every role of the protocol has a title and can be chosen', () => {
  const choices = roleChoices('viewer')
  expect(choices.map(({ role }) => role)).toEqual(roleSchema.options)
  expect(choices.every(({ disabled }) => !disabled)).toBe(true)
  expect(roleSchema.options.map(roleTitle)).toEqual(['Owner', 'Editor', 'Viewer'])
})

test('a role that only a newer server knows is shown by its name and cannot be chosen', () => {
  expect(roleTitle('newer-role')).toBe('newer-role')
  expect(roleChoices('newer-role')[0]).toEqual({ role: 'newer-role', title: 'newer-role', disabled: true })
  expect(roleChoices('newer-role').slice(1)).toEqual(roleChoices('owner'))
})

test('the name of an inherited property is not a role', () => {
  for (const name of ['toString', 'constructor', '__proto__', '']) {
    expect(isRole(name)).toBe(false)
    expect(isInviteRole(name)).toBe(false)
  }
})
