import {
  ackSchema,
  notifications,
  type Ack,
  type NotificationName,
  type NotificationPayload,
  type RequestName,
  type RequestReply,
} from '@t69/protocol'

import type { ReplySchema } from '../account/index.ts'

/** What a server sends is parsed here, and nowhere else: a server can be newer, broken, or none of ours. */

/** The same schemas, typed so that a name leads to the type of its payload. */
const notificationSchemas: { readonly [N in NotificationName]: ReplySchema<NotificationPayload<N>> } =
  notifications

const isNotificationName = (name: string): name is NotificationName => name in notifications

/** Every notification of the protocol, from its own table: a new one is heard without a second list. */
export const notificationNames = Object.keys(notifications).filter(isNotificationName)

/** Undefined for one that cannot be read. It is dropped: the next one shows the gap, and a pull fills it. */
export function readNotification<N extends NotificationName>(
  name: N,
  payload: unknown,
): NotificationPayload<N> | undefined {
  const schema: ReplySchema<NotificationPayload<N>> = notificationSchemas[name]
  const parsed = schema.safeParse(payload)
  return parsed.success ? parsed.data : undefined
}

export function readAck<N extends RequestName>(name: N, reply: unknown): Ack<RequestReply<N>> {
  const parsed = ackSchema(name).safeParse(reply)
  if (parsed.success) return parsed.data
  // A code of a later protocol, or a server gone wrong: not to be repeated as it is ([CL10]).
  return { ok: false, error: { code: 'invalid_request', message: `The answer to ${name} cannot be read` } }
}
