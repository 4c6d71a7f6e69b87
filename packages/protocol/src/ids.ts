import { z } from 'zod'

/**
 * Ids are strings, branded once parsed, so that a tree id cannot be passed as a vertex id. They are ASCII because they
 * become part of file names, SQL keys and RepTree's `key@vertex` map keys: no two ids may look alike, or sort
 * differently by locale.
 */

/** Names of properties that `{}` inherits. An object used as a map would find the inherited property under them. */
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

/** 1 to 64 characters of `A-Z a-z 0-9 _ -`, except for names that objects inherit. */
const plainId = z
  .string()
  .regex(plainIdPattern, plainIdRule)
  .refine((id) => !isInheritedName(id), inheritedRule)

/** Why `id` is not a valid id of a tree, vertex or peer, or undefined if it is. For paths on which zod is too slow. */
export function idProblem(id: unknown): string | undefined {
  if (typeof id !== 'string' || !plainIdPattern.test(id)) return plainIdRule
  return isInheritedName(id) ? inheritedRule : undefined
}

const uuidLikePattern = /^(?:[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/
const uuidLikeRule = 'must be 32 lower-case hex digits or a lower-case UUID'

/** 32 lower-case hex digits, which t69 generates, or a dashed lower-case UUID. Safe as a file name. */
const uuidLike = z.string().regex(uuidLikePattern, uuidLikeRule)

/** Why `id` is not a valid id of a space, user, log or epoch, or undefined if it is. */
export function uuidLikeProblem(id: unknown): string | undefined {
  return typeof id === 'string' && uuidLikePattern.test(id) ? undefined : uuidLikeRule
}

export const spaceIdSchema = uuidLike.brand<'SpaceId'>()
export const userIdSchema = uuidLike.brand<'UserId'>()
export const inviteIdSchema = uuidLike.brand<'InviteId'>()
export const logIdSchema = uuidLike.brand<'LogId'>()
export const epochSchema = uuidLike.brand<'Epoch'>()
export const spaceIdentitySchema = uuidLike.brand<'SpaceIdentity'>()
export const sessionIdSchema = uuidLike.brand<'SessionId'>()
export const registrationIdSchema = uuidLike.brand<'RegistrationId'>()
export const accessIdSchema = uuidLike.brand<'AccessId'>()
export const treeIdSchema = plainId.brand<'TreeId'>()
export const vertexIdSchema = plainId.brand<'VertexId'>()
export const peerIdSchema = plainId.brand<'PeerId'>()

export type SpaceId = z.infer<typeof spaceIdSchema>
export type UserId = z.infer<typeof userIdSchema>
/** Identifies an invite to the people who may withdraw it. It does not let anyone in: the token does. */
export type InviteId = z.infer<typeof inviteIdSchema>
/** Identifies one history of a space. Random, and replaced when the server has lost or regained history. */
export type LogId = z.infer<typeof logIdSchema>
/** Identifies the part of a log that one server process wrote. See SPEC.md, "Log and cursor". */
export type Epoch = z.infer<typeof epochSchema>
/**
 * Identifies one registration of a space. The server makes it up when the space is registered, so that nobody who
 * registers the same space id anew can choose it. See SPEC.md, "Identity".
 */
export type SpaceIdentity = z.infer<typeof spaceIdentitySchema>
/** Identifies a session to its user. It gives no access: the tokens of the session do. */
export type SessionId = z.infer<typeof sessionIdSchema>
/** Names one attempt of a device to register a space of its own, however often it is repeated. Random. */
export type RegistrationId = z.infer<typeof registrationIdSchema>
/** Identifies one state of a space's members: random, and new with each change of them. See SPEC.md, "Identity". */
export type AccessId = z.infer<typeof accessIdSchema>
export type TreeId = z.infer<typeof treeIdSchema>
export type VertexId = z.infer<typeof vertexIdSchema>
export type PeerId = z.infer<typeof peerIdSchema>

/** RepTree's null vertex: the parent of deleted vertices. It never moves. */
export const nullVertexId = '0' as VertexId

/** A new random id of 32 lower-case hex digits, for a space, a tree, a vertex or a user. */
export function randomHexId(): string {
  // Browsers have crypto.randomUUID on https and localhost only.
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/**
 * A new random peer id of 30 decimal digits (about 99 bits). RepTree breaks ties between peers with `localeCompare`,
 * and digits are the only alphabet that every ICU locale sorts like code units.
 */
export function randomPeerId(): PeerId {
  const words = crypto.getRandomValues(new Uint32Array(5))
  const digits = Array.from(words, (word) => String(word % 1_000_000).padStart(6, '0'))
  return digits.join('') as PeerId
}
