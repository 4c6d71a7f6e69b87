import { describe, expect, test } from 'vitest'

import { noRights, rightsByRole, rightsOf, roleNameSchema, roleSchema, rolesWith } from './rights.ts'

describe('the table of rights', () => {
  test('[RO1] every role is in the table of rights, and may read', () => {
    expect(Object.keys(rightsByRole).toSorted()).toEqual(roleSchema.options.toSorted())
    expect(rolesWith('read')).toEqual(roleSchema.options)
  })

  test('[RO1] editors and owners edit, and only owners manage', () => {
    expect(rolesWith('edit')).toEqual(['owner', 'editor'])
    expect(rolesWith('rename')).toEqual(['owner', 'editor'])
    for (const right of ['invite', 'manageMembers', 'delete', 'own'] as const) {
      expect(rolesWith(right), right).toEqual(['owner'])
    }
  })

  test.each(['newer-role', '', 'Owner', 'constructor', '__proto__', 'toString'])(
    '[RO1] the unknown role "%s" has no rights',
    (role) => {
      expect(rightsOf(role)).toEqual(noRights)
    },
  )

  test('[RO1] anyone without a role has no rights', () => {
    expect(rightsOf(null)).toEqual(noRights)
    expect(rightsOf(undefined)).toEqual(noRights)
  })

  test('[RO1] every role has every right, as true or false', () => {
    for (const role of roleSchema.options) {
      expect(Object.keys(rightsOf(role)).toSorted()).toEqual(Object.keys(noRights).toSorted())
    }
  })
})

test('[RO2] a message of the server may have a role that this version does not know', () => {
  expect(roleNameSchema.parse('newer-role')).toBe('newer-role')
  expect(roleSchema.safeParse('newer-role').success).toBe(false)
})
