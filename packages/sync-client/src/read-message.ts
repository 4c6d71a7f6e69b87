import {
  ackSchema,
  notifications,
  type Ack,
  type NotificationName,
  type NotificationPayload,
  type RequestName,
  type RequestReply,
} from '@t69/protocol'

import type { ReplySchema } from './http.ts'
import type { ConnectionListener } from './transport.ts'

/** What a server sends is parsed here, and nowhere else: a server can be newer, broken, or none of ours. */

/** The same schemas, typed so that a name leads to the type of its payload. */
const notificationSchemas: { readonly [N in NotificationName]: ReplySchema<NotificationPayload<N>> } =
  notifications

export function notify<N extends NotificationName>(
  listener: Pick<ConnectionListener, 'notified'>,
  name: N,
  payload: unknown,
): void {
  const schema: ReplySchema<NotificationPayload<N>> = notificationSchemas[name]
  const parsed = schema.safeParse(payload)
  // A notification that cannot be read is dropped: the next one shows the gap, and a pull fills it.
  if (parsed.success) listener.notified(name, parsed.data)
}

export function readAck<N extends RequestName>(name: N, reply: unknown): Ack<RequestReply<N>> {
  const parsed = ackSchema(name).safeParse(reply)
  if (parsed.success) return parsed.data
  // A code of a later protocol, or a server gone wrong: not to be repeated as it is ([CL10]).
  return { ok: false, error: { code: 'invalid_request', message: `The answer to ${name} cannot be read` } }
}
