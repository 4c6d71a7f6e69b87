import type { Ack, RequestName, RequestPayload, RequestReply } from '@t69/protocol'
import type { Connection } from '@t69/sync-client'

/** Sends a request over a connection, and resolves with its ack. */
export function ask<N extends RequestName>(
  connection: Pick<Connection, 'request'>,
  name: N,
  payload: RequestPayload<N>,
): Promise<Ack<RequestReply<N>>> {
  return new Promise((resolve) => connection.request(name, payload, resolve))
}
