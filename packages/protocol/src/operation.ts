import { z } from 'zod'

import {
  isInheritedName,
  nullVertexId,
  peerIdSchema,
  spaceIdSchema,
  treeIdSchema,
  vertexIdSchema,
  type PeerId,
  type SpaceId,
  type TreeId,
  type VertexId,
} from './ids.ts'
import { jsonValueSchema, type JsonValue } from './json-value.ts'
import { limits } from './limits.ts'

/** The fields of every operation. `(clock, peerId)` is unique within its tree, and not across trees. */
interface OperationBase {
  /** Lamport clock: a safe integer, 1 or more. */
  readonly clock: number
  readonly peerId: PeerId
  readonly treeId: TreeId
  readonly spaceId: SpaceId
  readonly targetId: VertexId
}

/** Creates or moves a vertex. `parentId` is null only for the root of the tree and for the null vertex. */
export interface MoveOperation extends OperationBase {
  readonly parentId: VertexId | null
  readonly key?: never
  readonly value?: never
}

/** Sets a property, or removes it if `value` is absent or undefined. `null` is a value like any other. */
export interface PropertyOperation extends OperationBase {
  readonly parentId?: never
  readonly key: string
  readonly value?: JsonValue | undefined
}

/** One edit of one tree, in the form that both ends store and that apps which speak JSON use. */
export type TreeOperation = MoveOperation | PropertyOperation

/**
 * Code points that are invisible or look like others: controls, formats (zero-width joiners, direction marks, tags),
 * all spaces except the plain one, lone surrogates, private use, noncharacters. They are listed by number because
 * Unicode classes grow: replicas on engines with different versions of Unicode would not accept the same keys. (The
 * class of controls, Cc, never grows.)
 */
const invisible =
  /[\p{Cc}\xa0\xad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufeff\ufff0-\ufffb\ufffe\uffff\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{10ffff}]/u

/** Why `key` cannot be a property's key, or undefined if it can. */
export function keyProblem(key: unknown): string | undefined {
  if (typeof key !== 'string') return 'must be a string'
  if (key.length === 0) return 'must not be empty'
  if (key.length > limits.maxKeyLength) return `must not be longer than ${limits.maxKeyLength}`
  if (key.includes('@')) return 'must not contain "@"'
  if (invisible.test(key)) return 'must not contain invisible characters'
  return isInheritedName(key) ? 'must not be a name that objects inherit' : undefined
}

/** A property's key. `@` is refused because RepTree joins key and vertex id with it. */
export const propertyKeySchema = z
  .string()
  .min(1)
  .max(limits.maxKeyLength)
  .superRefine((key, context) => {
    const problem = keyProblem(key)
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
  })

const base = {
  clock: z.int().min(1),
  peerId: peerIdSchema,
  treeId: treeIdSchema,
  spaceId: spaceIdSchema,
  targetId: vertexIdSchema,
}

const moveSchema = z.strictObject({ ...base, parentId: vertexIdSchema.nullable() })

const propertySchema = z.strictObject({
  ...base,
  key: propertyKeySchema,
  value: jsonValueSchema.optional(),
})

/**
 * The rules that an operation must meet by itself, whatever is in the log (SPEC.md, "Operations"): it is either a move
 * or a property, the root and the null vertex do not move, and no vertex is its own parent.
 */
export const treeOperationSchema: z.ZodType<TreeOperation> = z
  .union([moveSchema, propertySchema])
  .superRefine((op, context) => {
    const problem = 'parentId' in op ? moveProblem(op) : undefined
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem, path: ['parentId'] })
  })

/** Why no tree can have this move, or undefined if one can. */
export function moveProblem(op: Pick<MoveOperation, 'treeId' | 'targetId' | 'parentId'>): string | undefined {
  const isFixed = op.targetId === nullVertexId || (op.targetId as string) === op.treeId
  if (op.parentId === null) {
    return isFixed ? undefined : 'only the root, whose id is the tree id, has no parent'
  }
  if (isFixed)
    return op.targetId === nullVertexId ? 'the null vertex does not move' : 'the root does not move'
  return op.targetId === op.parentId ? 'a vertex is not its own parent' : undefined
}

/** Whether an operation is a move. If it is not, it is a property. */
export function isMove(op: TreeOperation): op is MoveOperation {
  return op.parentId !== undefined
}

/** The id of an operation as text, unique within its space. For maps and messages. */
export function opKey(op: Pick<OperationBase, 'clock' | 'peerId' | 'treeId'>): string {
  return `${op.treeId}/${op.clock}@${op.peerId}`
}
