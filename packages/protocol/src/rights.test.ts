import { describe, expect, test } from 'vitest'

import { noRights, rightsByRole, rightsOf, roleNameSchema, roleSchema, rolesWith } from './rights.ts'

describe('[RO1] the table of rights', () => {
  test('has every role, and each may read', () => {
    expect(Object.keys(rightsByRole).toSorted()).toEqual(roleSchema.options.toSorted())
    expect(rolesWith('read')).toEqual(roleSchema.options)
  })

  test('lets editors and owners edit, and only owners manage', () => {
    expect(rolesWith('edit')).toEqual(['owner', 'editor'])
    expect(rolesWith('rename')).toEqual(['owner', 'editor'])
    for (const right of ['invite', 'manageMembers', 'delete', 'own'] as const) {
      expect(rolesWith(right), right).toEqual(['owner'])
    }
  })

  test.each(['commenter', '', 'Owner', 'constructor', '__proto__', 'toString'])(
    'grants nothing to the unknown role "%s"',
    (role) => {
      expect(rightsOf(role)).toEqual(noRights)
    },
  )

  test('grants nothing to somebody without a role', () => {
    expect(rightsOf(null)).toEqual(noRights)
    expect(rightsOf(undefined)).toEqual(noRights)
  })

  test('names the same rights for everybody', () => {
    for (const role of roleSchema.options) {
      expect(Object.keys(rightsOf(role)).toSorted()).toEqual(Object.keys(noRights).toSorted())
    }
  })
})

test('[RO2] what a server sends may name a role that this version does not know', () => {
  expect(roleNameSchema.parse('commenter')).toBe('commenter')
  expect(roleSchema.safeParse('commenter').success).toBe(false)
})
