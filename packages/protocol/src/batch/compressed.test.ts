import { expect, test, vi } from 'vitest'

import { spaceIdSchema } from '../ids.ts'
import { decodeBatch } from './decode.ts'
import { encodeBatch } from './encode.ts'

const spaceId = spaceIdSchema.parse('a'.repeat(32))

test('a compressed batch is read without a text of its bytes, which would take as long as all else', () => {
  const batch = encodeBatch({ spaceId, ops: [] })
  // A frame of one segment, whose only block is stored as it is.
  const header = [0x28, 0xb5, 0x2f, 0xfd, 0x20, batch.length, batch.length * 8 + 1, 0, 0]
  const join = vi.spyOn(Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array, 'join')
  expect(decodeBatch(Uint8Array.of(...header, ...batch))).toEqual({ spaceId, ops: [] })
  expect(join).not.toHaveBeenCalled()
})
