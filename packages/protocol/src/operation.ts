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

/** What both kinds of operation share. `(clock, peerId)` is unique within its tree, not beyond it. */
interface OperationBase {
  /** Lamport clock: a safe integer, 1 or more. */
  readonly clock: number
  readonly peerId: PeerId
  readonly treeId: TreeId
  readonly spaceId: SpaceId
  readonly targetId: VertexId
}

/** Creates or moves a vertex. `parentId` is null for the tree's root and for the null vertex only. */
export interface MoveOperation extends OperationBase {
  readonly parentId: VertexId | null
  readonly key?: never
  readonly value?: never
}

/** Sets a property. No `value` (or `undefined`) removes it; `null` is a value like any other. */
export interface PropertyOperation extends OperationBase {
  readonly parentId?: never
  readonly key: string
  readonly value?: JsonValue | undefined
}

/** One edit of one tree, as it is stored on both ends and described to apps that speak JSON. */
export type TreeOperation = MoveOperation | PropertyOperation

/**
 * Code points that nobody sees or that nobody can tell from others: controls, formats (zero-width joiners,
 * direction marks, tags), every space but the plain one, lone surrogates, private use, noncharacters. Listed
 * by number, not by Unicode class: classes grow with each engine's Unicode, and a key that one replica
 * takes and another refuses would split them. (Cc, the controls, never grows.)
 */
const invisible =
  /[\p{Cc}\xa0\xad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufeff\ufff0-\ufffb\ufffe\uffff\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{10ffff}]/u

/** Why `key` cannot be a property's key, or undefined when it can. */
export function keyProblem(key: unknown): string | undefined {
  if (typeof key !== 'string') return 'must be a string'
  if (key.length === 0) return 'must not be empty'
  if (key.length > limits.maxKeyLength) return `must not be longer than ${limits.maxKeyLength}`
  if (key.includes('@')) return 'must not contain "@"'
  if (invisible.test(key)) return 'must not contain invisible characters'
  return isInheritedName(key) ? 'must not be a name that objects inherit' : undefined
}

/** A property's key. `@` is refused since RepTree joins key and vertex id with it. */
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
 * The rules an operation keeps on its own, whatever else is in the log (SPEC.md, "Operations"):
 * either a move or a property, the root and the null vertex stay where they are, nothing is its own parent.
 */
export const treeOperationSchema: z.ZodType<TreeOperation> = z
  .union([moveSchema, propertySchema])
  .superRefine((op, context) => {
    const problem = 'parentId' in op ? moveProblem(op) : undefined
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem, path: ['parentId'] })
  })

/** Why a move cannot be, or undefined when it can. */
export function moveProblem(op: Pick<MoveOperation, 'treeId' | 'targetId' | 'parentId'>): string | undefined {
  const isFixed = op.targetId === nullVertexId || (op.targetId as string) === op.treeId
  if (op.parentId === null) {
    return isFixed ? undefined : 'only the root, whose id is the tree id, has no parent'
  }
  if (isFixed)
    return op.targetId === nullVertexId ? 'the null vertex does not move' : 'the root does not move'
  return op.targetId === op.parentId ? 'a vertex is not its own parent' : undefined
}

export function isMove(op: TreeOperation): op is MoveOperation {
  return op.parentId !== undefined
}

/** The operation's id as text, unique within its space. For maps and messages. */
export function opKey(op: Pick<OperationBase, 'clock' | 'peerId' | 'treeId'>): string {
  return `${op.treeId}/${op.clock}@${op.peerId}`
}
