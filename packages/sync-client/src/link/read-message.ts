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

/** Everything a server sends is parsed here. The server may be newer, broken, or not a t69 server at all. */

/** The schemas of the protocol, typed so that a name leads to the type of its payload. */
const notificationSchemas: { readonly [N in NotificationName]: ReplySchema<NotificationPayload<N>> } =
  notifications

const isNotificationName = (name: string): name is NotificationName => name in notifications

/** The names of all notifications, from the protocol's own table: a new one needs no second list. */
export const notificationNames = Object.keys(notifications).filter(isNotificationName)

/** Returns undefined for a payload that cannot be read. Drop it: the next one reveals the gap, and a pull fills it. */
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
  // A code of a later protocol, or a broken server. The request must not be repeated unchanged ([CL10]).
  return { ok: false, error: { code: 'invalid_request', message: `The answer to ${name} cannot be read` } }
}
