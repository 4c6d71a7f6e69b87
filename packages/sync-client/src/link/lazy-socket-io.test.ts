import type { ErrorBody } from '@t69/protocol'
import { expect, it } from 'vitest'

import { createLazySocketIo } from './lazy-socket-io.ts'

const handshake = { token: 'token', protocolVersion: 1 }
/** Nobody listens here. */
const nowhere = 'http://127.0.0.1:1'

it('A connection whose code is still being loaded fails requests as one that is not open does', async () => {
  const connection = createLazySocketIo(nowhere, {}).connect(handshake, {
    opened() {},
    notified() {},
    closed() {},
  })
  const ack = await new Promise((resolve) =>
    connection.request('space:leave', { spaceId: 'aa'.repeat(16) }, resolve),
  )
  expect(ack).toMatchObject({ ok: false, error: { code: 'unavailable' } })
  connection.close()
})

it('A connection that cannot open reports it once, and one that was closed before reports nothing', async () => {
  const transport = createLazySocketIo(nowhere, {})
  const reports: string[] = []
  const ignored = transport.connect(handshake, {
    opened: () => void reports.push('opened'),
    notified() {},
    closed: () => void reports.push('closed'),
  })
  ignored.close()
  const error = await new Promise<ErrorBody>((closed) => {
    transport.connect(handshake, { opened() {}, notified() {}, closed })
  })
  expect(error.code).toBe('unavailable')
  expect(reports).toEqual([])
})
