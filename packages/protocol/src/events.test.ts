import { describe, expect, test } from 'vitest'

import { SyncError } from './errors.ts'
import {
  ackSchema,
  batchBytesSchema,
  handshakeSchema,
  requests,
  signals,
  transientChangeSchema,
} from './events.ts'
import { limits } from './limits.ts'

const spaceId = 'a'.repeat(32)

describe('acks', () => {
  const ack = ackSchema('space:leave')

  test('[ER1] an ack is a reply, or an error with a known code', () => {
    expect(ack.parse({ ok: true })).toEqual({ ok: true })
    const refused = { ok: false, error: { code: 'not_joined', message: 'join first' } }
    expect(ack.parse(refused)).toEqual(refused)
    expect(ack.safeParse({ ok: false, error: { code: 'no_such_code', message: '' } }).success).toBe(false)
    expect(ack.safeParse({}).success).toBe(false)
  })

  test('[ER1] a SyncError keeps its code, message and details across the wire', () => {
    const body = new SyncError('rate_limited', 'slow down', { retryAfterMs: 500, at: 'batch' }).body
    expect(SyncError.from(body).body).toEqual(body)
    expect(ack.parse({ ok: false, error: body })).toEqual({ ok: false, error: body })
  })
})

describe('batches in payloads', () => {
  test('a batch payload: an ArrayBuffer becomes a view, a view stays the same object, an array is refused', () => {
    const bytes = Uint8Array.of(1, 2, 3)
    expect(batchBytesSchema.parse(bytes)).toBe(bytes)
    expect(batchBytesSchema.parse(bytes.buffer)).toEqual(bytes)
    expect(batchBytesSchema.safeParse([1, 2, 3]).success).toBe(false)
  })
})

describe('[ER2] malformed payloads', () => {
  test.each([
    ['a space id that is a path', requests['space:join'].payload, { spaceId: '../../etc' }],
    ['a negative cursor', requests['space:join'].payload, { spaceId, cursor: -1 }],
    ['a position that is not an integer', requests['ops:pull'].payload, { spaceId, after: 0.5 }],
    ['a batch of text', requests['ops:push'].payload, { spaceId, batch: 'AQ==' }],
    ['no changes', signals['ops:transient'], { spaceId, changes: [] }],
    ['no token', handshakeSchema, { protocolVersion: 1 }],
    ['null', requests['space:leave'].payload, null],
  ])('[ER2] the schema refuses %s', (_, schema, payload) => {
    expect(schema.safeParse(payload).success).toBe(false)
  })
})

describe('transients and presence', () => {
  const change = { treeId: 'tree', targetId: 'vertex', key: 'text' }
  const largest = 'x'.repeat(limits.maxTransientBytes - 2)

  test('[LI3] a transient value is at most 65,536 bytes of JSON', () => {
    expect(transientChangeSchema.safeParse({ ...change, value: largest }).success).toBe(true)
    expect(transientChangeSchema.safeParse({ ...change, value: `${largest}x` }).success).toBe(false)
  })

  test('[LI3] one message has 1 to 100 changes', () => {
    const changes = (count: number) => ({ spaceId, changes: Array.from({ length: count }, () => change) })
    const taken = [0, 1, 100, 101].map((count) => signals['ops:transient'].safeParse(changes(count)).success)
    expect(taken).toEqual([false, true, true, false])
  })

  test('[LI3] a presence state is given, and is at most 65,536 bytes of JSON', () => {
    const presence = signals['presence:set']
    expect(presence.safeParse({ spaceId, state: largest }).success).toBe(true)
    expect(presence.safeParse({ spaceId, state: `${largest}x` }).success).toBe(false)
    expect(presence.safeParse({ spaceId, state: null }).success).toBe(true)
    expect(presence.safeParse({ spaceId }).success).toBe(false)
  })

  test('[TR4] a transient change may have no value', () => {
    expect(transientChangeSchema.parse(change)).toEqual(change)
  })
})
