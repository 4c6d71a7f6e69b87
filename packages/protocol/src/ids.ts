import { z } from 'zod'

/**
 * Ids travel as strings and are branded once parsed, so that a tree id is never passed where a
 * vertex id belongs. The alphabet is ASCII on purpose: an id is part of file names, SQL keys and
 * RepTree's `key@vertex` map keys, and no two ids may ever look alike or sort differently by locale.
 */

/** Names that `{}` inherits. As a map key each of them reads somebody else's property. */
const inheritedNames: ReadonlySet<string> = new Set([
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'isPrototypeOf',
  'propertyIsEnumerable',
  'toLocaleString',
  'toString',
  'valueOf',
  '__defineGetter__',
  '__defineSetter__',
  '__lookupGetter__',
  '__lookupSetter__',
])

export function isInheritedName(name: string): boolean {
  return inheritedNames.has(name)
}

const plainIdPattern = /^[0-9A-Za-z_-]{1,64}$/
const plainIdRule = 'must be 1 to 64 letters, digits, "_" or "-"'
const inheritedRule = 'must not be a name that objects inherit'

/** 1 to 64 of `A-Z a-z 0-9 _ -`, and no name that objects inherit. */
const plainId = z
  .string()
  .regex(plainIdPattern, plainIdRule)
  .refine((id) => !isInheritedName(id), inheritedRule)

/** Why `id` cannot be a tree's, a vertex's or a peer's, or undefined when it can. For the paths too hot for zod. */
export function idProblem(id: unknown): string | undefined {
  if (typeof id !== 'string' || !plainIdPattern.test(id)) return plainIdRule
  return isInheritedName(id) ? inheritedRule : undefined
}

const uuidLikePattern = /^(?:[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/
const uuidLikeRule = 'must be 32 lower-case hex digits or a lower-case UUID'

/** 32 lower-case hex digits as t69 makes them, or a dashed lower-case UUID. Safe as a file name. */
const uuidLike = z.string().regex(uuidLikePattern, uuidLikeRule)

/** Why `id` cannot be a space's (or a user's, a log's, an epoch's), or undefined when it can. */
export function uuidLikeProblem(id: unknown): string | undefined {
  return typeof id === 'string' && uuidLikePattern.test(id) ? undefined : uuidLikeRule
}

export const spaceIdSchema = uuidLike.brand<'SpaceId'>()
export const userIdSchema = uuidLike.brand<'UserId'>()
export const inviteIdSchema = uuidLike.brand<'InviteId'>()
export const logIdSchema = uuidLike.brand<'LogId'>()
export const epochSchema = uuidLike.brand<'Epoch'>()
export const treeIdSchema = plainId.brand<'TreeId'>()
export const vertexIdSchema = plainId.brand<'VertexId'>()
export const peerIdSchema = plainId.brand<'PeerId'>()

export type SpaceId = z.infer<typeof spaceIdSchema>
export type UserId = z.infer<typeof userIdSchema>
/** Names an invite to those who may withdraw it; it opens nothing. */
export type InviteId = z.infer<typeof inviteIdSchema>
/** Names one history of a space: random, made anew when the server lost or regained history. */
export type LogId = z.infer<typeof logIdSchema>
/** Names one stretch of a log, written by one server process. See SPEC.md, "Log and cursor". */
export type Epoch = z.infer<typeof epochSchema>
export type TreeId = z.infer<typeof treeIdSchema>
export type VertexId = z.infer<typeof vertexIdSchema>
export type PeerId = z.infer<typeof peerIdSchema>

/** RepTree's null vertex: the parent of what was deleted. It never moves. */
export const nullVertexId = '0' as VertexId

/** A new random id, 32 lower-case hex digits: a space, a tree, a vertex, a user. */
export function randomHexId(): string {
  // Not crypto.randomUUID: browsers have that on https and localhost only.
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/**
 * A new random peer id of 30 digits (about 99 bits). Digits only: the one alphabet that every ICU
 * locale sorts as code units do, since RepTree breaks ties between peers with `localeCompare`.
 */
export function randomPeerId(): PeerId {
  const words = crypto.getRandomValues(new Uint32Array(5))
  const digits = Array.from(words, (word) => String(word % 1_000_000).padStart(6, '0'))
  return digits.join('') as PeerId
}
