import { expect, test } from 'vitest'
import { z } from 'zod'

import invalidVectors from '../../vectors/invalid.json' with { type: 'json' }
import validVectors from '../../vectors/valid.json' with { type: 'json' }
import { errorCodeSchema, SyncError } from '../errors.ts'
import { spaceIdSchema } from '../ids.ts'
import { treeOperationSchema } from '../operation.ts'
import { decodeBatch } from './decode.ts'
import { encodeBatch } from './encode.ts'

/** Vectors for implementations in other languages. A released vector never changes; new ones are added. */

const valid = z
  .array(
    z.strictObject({
      name: z.string(),
      hex: z.string(),
      spaceId: spaceIdSchema,
      ops: z.array(treeOperationSchema),
    }),
  )
  .parse(validVectors)

const invalid = z
  .array(
    z.strictObject({
      name: z.string(),
      hex: z.string(),
      code: errorCodeSchema,
      at: z.int().optional(),
      message: z.string(),
    }),
  )
  .parse(invalidVectors)

test.each(valid)(
  '[BA16] $name: decodes to its operations and encodes to its bytes',
  ({ hex, spaceId, ops }) => {
    expect(decodeBatch(bytesOf(hex))).toEqual({ spaceId, ops })
    expect(hexOf(encodeBatch({ spaceId, ops }))).toBe(hex)
  },
)

test.each(invalid)('[BA16] $name: refused with its code', ({ hex, code, at, message }) => {
  expect(refusalOf(bytesOf(hex))).toEqual({ code, message, ...(at === undefined ? {} : { at }) })
})

function refusalOf(bytes: Uint8Array): unknown {
  try {
    return decodeBatch(bytes)
  } catch (error) {
    if (error instanceof SyncError) return error.body
    throw error
  }
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
