import { z } from 'zod'

import { errorBodySchema, errorCodeSchema, type ErrorBody } from './errors.ts'
import {
  accessIdSchema,
  epochSchema,
  logIdSchema,
  peerIdSchema,
  spaceIdentitySchema,
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
 * Every event on the socket, stated once: payloads and replies are schemas, and the typed event maps for Socket.io are
 * derived from them. Events to the server have imperative names, events to the client have names in the past tense.
 */

/** A position in a space's log: the number of operations committed up to it. 0 is the start. */
export const seqSchema = z.int().min(0)

/** An encoded batch (batch.ts). Browsers receive an ArrayBuffer, Node a Buffer; both become a Uint8Array view. */
export const batchBytesSchema = z
  .union([z.instanceof(Uint8Array), z.instanceof(ArrayBuffer)])
  .transform((bytes): Uint8Array => (bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes)))

/** The `auth` of the handshake. */
export const handshakeSchema = z.object({
  token: z.string().min(1),
  protocolVersion: z.int().min(1),
})
export type Handshake = z.infer<typeof handshakeSchema>

/** A person's connection to a space, and the state that it shows, such as where in the space they are. */
export const presenceSchema = z.object({
  connectionId: z.string(),
  user: z.object({ id: userIdSchema, name: z.string() }),
  state: transientValueSchema,
})
export type Presence = z.infer<typeof presenceSchema>

/**
 * A change that is shown and never stored. Without `offset`, `value` is the whole transient value; with it, `value` is
 * text that continues the transient text at that UTF-16 position, as a reply streams in. Without `value`, the
 * transient value is removed. A client that missed a part ignores the parts after it, up to the next whole value.
 * `opId` is the id of the change on the replica that made it: earlier operations of that peer may arrive after it.
 *
 *     { treeId, targetId, key: 'text', value: 'Hel' }
 *     { treeId, targetId, key: 'text', value: 'lo', offset: 3 }
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

/** An operation that the server rejected, by its index in the pushed batch. */
export const rejectedOpSchema = z.object({
  index: z.int().min(0),
  code: errorCodeSchema,
  message: z.string(),
})
export type RejectedOp = z.infer<typeof rejectedOpSchema>

/** The digest of a replica's state, in 32 hex digits. Equal states have equal digests (SPEC.md, "Divergence"). */
export const digestSchema = z.string().regex(/^[0-9a-f]{32}$/, 'must be 32 lower-case hex digits')

/**
 * Who committed operations, and when, as the server saw it: everything after position `after`, up to the next commit in
 * the list, or to the `cursor` of the message. Nobody but the server can say so: what an operation itself says of its
 * author is the word of the client that made it. `userId` is null, and `at` 0, for what was committed before servers
 * kept account of it.
 */
export const commitSchema = z.object({
  after: seqSchema,
  userId: userIdSchema.nullable(),
  /** When it was committed, by the server's clock, in Unix milliseconds. */
  at: z.int().min(0),
})
export type Commit = z.infer<typeof commitSchema>

const commitsSchema = z.array(commitSchema).max(limits.maxCommitsPerPage)

/** How much a page may have, in bytes: less than a full one, for a link on which a full one would not arrive in time. */
const maxPageBytesSchema = z.int().min(limits.minPageBytes).max(limits.batchBudgetBytes)

/** A page of the log: positions `after + 1` to `cursor`, in order. At the head, `cursor` equals `after`. */
const pageSchema = z.object({
  after: seqSchema,
  cursor: seqSchema,
  batch: batchBytesSchema,
  commits: commitsSchema,
})

/**
 * The members of a space at one moment, sealed by the server: only the server that made it can read it or make another.
 * A device keeps the newest one, and shows it to a server that was restored from an older copy (SPEC.md, "Identity").
 */
export const spaceSealSchema = z.object({
  accessId: accessIdSchema,
  seal: z.string().min(1).max(limits.maxSealLength),
})
export type SpaceSeal = z.infer<typeof spaceSealSchema>

/** What a space is called, and when it was registered, in Unix milliseconds. */
const describedSpaceSchema = z.object({ name: z.string(), createdAt: z.int() })

/** Events from the client to the server that are each answered by an ack. */
export const requests = {
  /**
   * Enters a space. The reply's `cursor` is where to continue to pull: the cursor of the request if the log still holds
   * everything that it covers, and otherwise 0. If the reply's `logId` is not that of the request, the server has lost
   * or regained history: pull from 0, then push the operations that the log lacks.
   *
   * `identity` and `accessId` are those that the device has stored. A space with another identity is refused
   * `other_space`; members that the server does not know of, `access_behind`. The reply has the seal of the present
   * members, unless `accessId` names them already.
   *
   * `page` asks for the page after that cursor, so that a device that was away is up to date after one round trip. There is
   * none in the reply if the device has everything, or must pull for another reason; it is no refusal.
   *
   * `describe` asks for `space`, which a device needs of a space that it has never seen. With the identity and the role it is
   * all that `GET /api/spaces/:spaceId` answers.
   */
  'space:join': {
    payload: z.object({
      spaceId: spaceIdSchema,
      logId: logIdSchema.optional(),
      epoch: epochSchema.optional(),
      cursor: seqSchema.optional(),
      identity: spaceIdentitySchema.optional(),
      accessId: accessIdSchema.optional(),
      page: z.object({ maxBytes: maxPageBytesSchema.optional() }).optional(),
      describe: z.boolean().optional(),
    }),
    reply: z.object({
      identity: spaceIdentitySchema,
      logId: logIdSchema,
      epoch: epochSchema,
      cursor: seqSchema,
      head: seqSchema,
      role: roleNameSchema,
      seal: spaceSealSchema.optional(),
      page: pageSchema.optional(),
      space: describedSpaceSchema.optional(),
    }),
  },
  /** Leaves a space. Harmless if the socket has not joined it. */
  'space:leave': {
    payload: z.object({ spaceId: spaceIdSchema }),
    reply: z.object({}),
  },
  /**
   * Appends operations to the log. The ack is sent after the commit. This push added positions `after + 1` to `cursor`.
   * A repeated operation adds nothing and counts in `duplicates`. An edit may leave the outbox once the client's cursor
   * has reached the `cursor` of the ack.
   */
  'ops:push': {
    payload: z.object({ spaceId: spaceIdSchema, batch: batchBytesSchema }),
    reply: z.object({
      logId: logIdSchema,
      epoch: epochSchema,
      after: seqSchema,
      cursor: seqSchema,
      head: seqSchema,
      /** When it was committed, by the server's clock, in Unix milliseconds. */
      at: z.int().min(0),
      duplicates: z.int().min(0),
      rejected: z.array(rejectedOpSchema),
    }),
  },
  /** Reads a page of the log. */
  'ops:pull': {
    payload: z.object({
      spaceId: spaceIdSchema,
      after: seqSchema,
      maxBytes: maxPageBytesSchema.optional(),
    }),
    reply: z.object({ logId: logIdSchema, epoch: epochSchema, head: seqSchema, ...pageSchema.shape }),
  },
  /**
   * Compares a tree with the log. `digest` is that of a replica which holds the tree's operations at positions 1 to
   * `cursor` and no others. The reply has the digest of the log at that cursor.
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
  /** Renews the time of a live socket with a fresh access token of the same user. */
  'auth:renew': {
    payload: z.object({ token: z.string().min(1) }),
    reply: z.object({ expiresInMs: z.int().min(0) }),
  },
} as const

/** Events from the client to the server without an ack. They are lost while the socket is down, and may be. */
export const signals = {
  /** Shows changes to the others in the space. */
  'ops:transient': z.object({
    spaceId: spaceIdSchema,
    changes: z.array(transientChangeSchema).min(1).max(limits.maxTransientChanges),
  }),
  /** Shows the connection to the others in the space. `null` hides it. */
  'presence:set': z.object({ spaceId: spaceIdSchema, state: transientValueSchema }),
  /** Reports how a tree that did not match its log differed from the rebuilt one. The server logs it. */
  'divergence:report': z.object({
    spaceId: spaceIdSchema,
    treeId: treeIdSchema,
    logId: logIdSchema,
    cursor: seqSchema,
    /** The digest of the replica that was shown. */
    digest: digestSchema,
    /** The digest of the replica that replaced it. */
    rebuilt: digestSchema,
    /** What was wrong: only the replica in memory, or what the device had stored. */
    source: z.enum(['replica', 'storage']),
    /** The ids of vertices that differed, not necessarily all. */
    vertices: z.array(vertexIdSchema).max(limits.maxReportedVertices),
    /** The number of vertices that differed. */
    differing: z.int().min(0),
  }),
} as const

/** Events from the server to the client. */
export const notifications = {
  /** Operations of somebody else were committed. If `after` is not the client's cursor, it pulls. */
  'ops:appended': z.object({
    spaceId: spaceIdSchema,
    logId: logIdSchema,
    epoch: epochSchema,
    after: seqSchema,
    cursor: seqSchema,
    batch: batchBytesSchema,
    commits: commitsSchema,
  }),
  /** The members of a space have changed. The device keeps the seal instead of the one that it has. */
  'space:sealed': spaceSealSchema.extend({ spaceId: spaceIdSchema }),
  /** Somebody else, on the connection `connectionId`, shows changes. */
  'ops:transient': z.object({
    spaceId: spaceIdSchema,
    connectionId: z.string(),
    changes: z.array(transientChangeSchema),
  }),
  /** Connections that came or changed, and those that went. The first one after a join names everybody present. */
  'presence:changed': z.object({
    spaceId: spaceIdSchema,
    present: z.array(presenceSchema),
    gone: z.array(z.string()),
  }),
  /**
   * The socket is no longer in the space. `deleted`, `removed`: stop, and keep the edits. `changed` (the user's role
   * changed, or the log was replaced): join again at once. `unavailable`: join again later.
   */
  'space:closed': z.object({
    spaceId: spaceIdSchema,
    reason: z.enum(['deleted', 'removed', 'changed', 'unavailable']),
  }),
  /** The access token expires soon. The socket is disconnected then, unless `auth:renew` has brought a fresh one. */
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

// Each schema is built once, on first use: building one takes a hundred times as long as parsing an ack with it.
const ackSchemas = new Map<RequestName, unknown>()

/**
 * The schema of the ack of a request, for a client that checks what the server sends.
 *
 *     const ack = ackSchema('ops:push').parse(reply)
 *     if (!ack.ok) throw SyncError.from(ack.error)
 */
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

/** A message before it is parsed: Socket.io gives its bytes as an ArrayBuffer in a browser, and as a Buffer in Node. */
type Unparsed<T> = { [K in keyof T]: T[K] extends Uint8Array ? Uint8Array | ArrayBuffer : T[K] }

export type ClientToServerEvents = {
  [N in RequestName]: (
    payload: RequestPayload<N>,
    ack: (reply: Ack<Unparsed<RequestReply<N>>>) => void,
  ) => void
} & {
  [N in SignalName]: (payload: SignalPayload<N>) => void
}

export type ServerToClientEvents = {
  [N in NotificationName]: (payload: Unparsed<NotificationPayload<N>>) => void
}

/** What the server keeps about a socket. */
export interface SocketData {
  userId: z.infer<typeof userIdSchema>
  userName: string
  sessionId: string
  /** Unix milliseconds. */
  tokenExpiresAt: number
}
