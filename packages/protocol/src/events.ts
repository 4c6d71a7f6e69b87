import { z } from 'zod'

import { errorBodySchema, errorCodeSchema, type ErrorBody } from './errors.ts'
import {
  epochSchema,
  logIdSchema,
  peerIdSchema,
  spaceIdSchema,
  treeIdSchema,
  userIdSchema,
  vertexIdSchema,
} from './ids.ts'
import { transientValueSchema } from './json-value.ts'
import { limits } from './limits.ts'
import { propertyKeySchema } from './operation.ts'
import { roleNameSchema } from './rights.ts'

/**
 * What travels over the socket, stated once: each event's payload and reply is a schema, and the
 * typed event maps for Socket.io follow from it. Client to server is imperative, server to client past tense.
 */

/** A position in a space's log: how many operations the server had committed there. 0 is its start. */
export const seqSchema = z.int().min(0)

/** An encoded batch (batch.ts). Browsers hand over an ArrayBuffer, Node a Buffer; both become a view. */
export const batchBytesSchema = z
  .union([z.instanceof(Uint8Array), z.instanceof(ArrayBuffer)])
  .transform((bytes): Uint8Array => (bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes)))

/** The handshake's `auth`. */
export const handshakeSchema = z.object({
  token: z.string().min(1),
  protocolVersion: z.int().min(1),
})
export type Handshake = z.infer<typeof handshakeSchema>

/** One person's connection to a space, and where in it they are. */
export const presenceSchema = z.object({
  connectionId: z.string(),
  user: z.object({ id: userIdSchema, name: z.string() }),
  state: transientValueSchema,
})
export type Presence = z.infer<typeof presenceSchema>

/**
 * A change that is shown and never stored. With `offset`, `value` is text that continues the property's
 * transient text at that UTF-16 position (a reply as it streams in); without, it is the whole value.
 * No `value` takes the transient value away. Whoever missed a part ignores what follows until a whole value comes.
 * `opId` is the id that the change has where it was made: what that peer stored before may come after it.
 */
export const transientChangeSchema = z.object({
  treeId: treeIdSchema,
  targetId: vertexIdSchema,
  key: propertyKeySchema,
  value: transientValueSchema.optional(),
  offset: z.int().min(0).optional(),
  opId: z.object({ clock: z.int().min(1), peerId: peerIdSchema }).optional(),
})
export type TransientChange = z.infer<typeof transientChangeSchema>

/** An operation that the server did not take, by its index in the pushed batch. */
export const rejectedOpSchema = z.object({
  index: z.int().min(0),
  code: errorCodeSchema,
  message: z.string(),
})
export type RejectedOp = z.infer<typeof rejectedOpSchema>

/** A replica's state in 32 hex digits: equal states have equal digests (SPEC.md, "Divergence"). */
export const digestSchema = z.string().regex(/^[0-9a-f]{32}$/, 'must be 32 lower-case hex digits')

/** Client to server, each answered by an ack. */
export const requests = {
  /**
   * Enter a space. The reply's `cursor` is where to continue pulling from: the request's own when the log
   * still holds all that it covers, else 0. A `logId` other than the request's means that the server
   * lost or regained history: pull from 0, then push what the log lacks.
   */
  'space:join': {
    payload: z.object({
      spaceId: spaceIdSchema,
      logId: logIdSchema.optional(),
      epoch: epochSchema.optional(),
      cursor: seqSchema.optional(),
    }),
    reply: z.object({
      logId: logIdSchema,
      epoch: epochSchema,
      cursor: seqSchema,
      head: seqSchema,
      role: roleNameSchema,
    }),
  },
  'space:leave': {
    payload: z.object({ spaceId: spaceIdSchema }),
    reply: z.object({}),
  },
  /**
   * Append operations. The ack comes after the commit. `after` and `cursor` bound what this push added:
   * positions `after + 1` to `cursor`. A repeated operation adds nothing and counts in `duplicates`. An
   * edit may leave the outbox once the client's own cursor has reached the ack's `cursor`.
   */
  'ops:push': {
    payload: z.object({ spaceId: spaceIdSchema, batch: batchBytesSchema }),
    reply: z.object({
      logId: logIdSchema,
      epoch: epochSchema,
      after: seqSchema,
      cursor: seqSchema,
      head: seqSchema,
      duplicates: z.int().min(0),
      rejected: z.array(rejectedOpSchema),
    }),
  },
  /**
   * Read a page of the log: positions `after + 1` to `cursor`, in order. `cursor` equals `after` at the head.
   * `maxBytes` asks for a smaller page, where a full one would not come through in time.
   */
  'ops:pull': {
    payload: z.object({
      spaceId: spaceIdSchema,
      after: seqSchema,
      maxBytes: z.int().min(limits.minPageBytes).max(limits.batchBudgetBytes).optional(),
    }),
    reply: z.object({
      logId: logIdSchema,
      epoch: epochSchema,
      after: seqSchema,
      cursor: seqSchema,
      head: seqSchema,
      batch: batchBytesSchema,
    }),
  },
  /**
   * Compare a tree: `digest` is that of a replica which holds the tree's operations at positions 1 to
   * `cursor` and no others. The reply has the log's own digest at that cursor.
   */
  'tree:compare': {
    payload: z.object({
      spaceId: spaceIdSchema,
      treeId: treeIdSchema,
      logId: logIdSchema,
      cursor: seqSchema,
      digest: digestSchema,
    }),
    reply: z.object({ matches: z.boolean(), digest: digestSchema }),
  },
  /** Present a fresh access token of the same user on a live socket. */
  'auth:renew': {
    payload: z.object({ token: z.string().min(1) }),
    reply: z.object({ expiresInMs: z.int().min(0) }),
  },
} as const

/** Client to server, unacked: lost when the socket is down, and that is fine. */
export const signals = {
  'ops:transient': z.object({
    spaceId: spaceIdSchema,
    changes: z.array(transientChangeSchema).min(1).max(limits.maxTransientChanges),
  }),
  /** `null` hides the connection from others. */
  'presence:set': z.object({ spaceId: spaceIdSchema, state: transientValueSchema }),
  /** What a client found once it had rebuilt a tree that did not match, for the server's log. */
  'divergence:report': z.object({
    spaceId: spaceIdSchema,
    treeId: treeIdSchema,
    logId: logIdSchema,
    cursor: seqSchema,
    /** Of the replica that was shown, and of the one that took its place. */
    digest: digestSchema,
    rebuilt: digestSchema,
    /** What was wrong: the replica alone, or what the device had stored. */
    source: z.enum(['replica', 'storage']),
    /** Some of the vertices that differed. */
    vertices: z.array(vertexIdSchema).max(limits.maxReportedVertices),
    /** How many differed in all. */
    differing: z.int().min(0),
  }),
} as const

/** Server to client. */
export const notifications = {
  /** Operations that somebody else committed. On `after` other than the own cursor, pull. */
  'ops:appended': z.object({
    spaceId: spaceIdSchema,
    logId: logIdSchema,
    epoch: epochSchema,
    after: seqSchema,
    cursor: seqSchema,
    batch: batchBytesSchema,
  }),
  'ops:transient': z.object({
    spaceId: spaceIdSchema,
    connectionId: z.string(),
    changes: z.array(transientChangeSchema),
  }),
  /** Who came or changed, and which connections went. The first one after a join names everybody. */
  'presence:changed': z.object({
    spaceId: spaceIdSchema,
    present: z.array(presenceSchema),
    gone: z.array(z.string()),
  }),
  /**
   * The socket is no longer in the space. `deleted` and `removed`: stop and keep the edits. `changed` (the
   * role, or the log was replaced): join again at once. `unavailable`: join again later.
   */
  'space:closed': z.object({
    spaceId: spaceIdSchema,
    reason: z.enum(['deleted', 'removed', 'changed', 'unavailable']),
  }),
  /** The access token runs out: send a fresh one with `auth:renew`, or be disconnected then. */
  'auth:expiring': z.object({ expiresInMs: z.int().min(0) }),
} as const

export type RequestName = keyof typeof requests
export type SignalName = keyof typeof signals
export type NotificationName = keyof typeof notifications

export type RequestPayload<N extends RequestName> = z.input<(typeof requests)[N]['payload']>
export type ParsedPayload<N extends RequestName> = z.output<(typeof requests)[N]['payload']>
export type RequestReply<N extends RequestName> = z.output<(typeof requests)[N]['reply']>
export type SignalPayload<N extends SignalName> = z.output<(typeof signals)[N]>
export type NotificationPayload<N extends NotificationName> = z.output<(typeof notifications)[N]>

export type Ack<Reply> = ({ ok: true } & Reply) | { ok: false; error: ErrorBody }

// Made when first asked for, and once: to make one takes a hundred times as long as to read an ack with it.
const ackSchemas = new Map<RequestName, unknown>()

/** The schema of a request's ack, for a client that checks what the server sends. */
export function ackSchema<N extends RequestName>(name: N) {
  let schema = ackSchemas.get(name)
  if (schema === undefined) {
    schema = z.discriminatedUnion('ok', [
      requests[name].reply.extend({ ok: z.literal(true) }),
      z.object({ ok: z.literal(false), error: errorBodySchema }),
    ])
    ackSchemas.set(name, schema)
  }
  return schema as z.ZodType<Ack<RequestReply<N>>>
}

export type ClientToServerEvents = {
  [N in RequestName]: (payload: RequestPayload<N>, ack: (reply: Ack<RequestReply<N>>) => void) => void
} & {
  [N in SignalName]: (payload: SignalPayload<N>) => void
}

export type ServerToClientEvents = {
  [N in NotificationName]: (payload: NotificationPayload<N>) => void
}

/** What the server knows of a socket. */
export interface SocketData {
  userId: z.infer<typeof userIdSchema>
  userName: string
  sessionId: string
  /** Unix milliseconds. */
  tokenExpiresAt: number
}
