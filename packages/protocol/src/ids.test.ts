import { expect, test } from 'vitest'

import {
  epochSchema,
  idProblem,
  isInheritedName,
  logIdSchema,
  peerIdSchema,
  randomHexId,
  randomPeerId,
  spaceIdSchema,
  treeIdSchema,
  userIdSchema,
  uuidLikeProblem,
  vertexIdSchema,
} from './ids.ts'

const samples = [
  '0',
  'a',
  'A-b_9',
  'a'.repeat(32),
  'f'.repeat(31),
  'a'.repeat(64),
  'a'.repeat(65),
  '00010203-0405-0607-0809-0a0b0c0d0e0f',
  '00010203-0405-0607-0809-0A0B0C0D0E0F',
  '',
  'a b',
  'ä',
  '../up',
  'constructor',
  `${'a'.repeat(32)}\n`,
]

test('[ID1] the id of a space, user, log or epoch is hex or a UUID', () => {
  for (const schema of [spaceIdSchema, userIdSchema, logIdSchema, epochSchema]) {
    const taken = samples.filter((id) => schema.safeParse(id).success)
    expect(taken).toEqual(['a'.repeat(32), '00010203-0405-0607-0809-0a0b0c0d0e0f'])
    expect(samples.filter((id) => uuidLikeProblem(id) === undefined)).toEqual(taken)
  }
})

test('[ID2] the id of a tree, vertex or peer is plain ASCII', () => {
  for (const schema of [treeIdSchema, vertexIdSchema, peerIdSchema]) {
    const taken = samples.filter((id) => schema.safeParse(id).success)
    const refused = samples.filter((id) => !taken.includes(id))
    expect(refused).toEqual(['a'.repeat(65), '', 'a b', 'ä', '../up', 'constructor', `${'a'.repeat(32)}\n`])
    expect(samples.filter((id) => idProblem(id) === undefined)).toEqual(taken)
  }
})

test('[ID2] every name that objects of this engine inherit is refused', () => {
  const inherited = Object.getOwnPropertyNames(Object.prototype)
  expect(inherited.filter((name) => !isInheritedName(name))).toEqual([])
})

test('[ID4] a new peer id is 30 digits, and each is different', () => {
  const ids = Array.from({ length: 1_000 }, () => randomPeerId())
  for (const id of ids) expect(id).toMatch(/^[0-9]{30}$/)
  expect(new Set(ids).size).toBe(ids.length)
})

test('[ID1] a new id is 32 hex digits', () => {
  expect(spaceIdSchema.safeParse(randomHexId()).success).toBe(true)
})
