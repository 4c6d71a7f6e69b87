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

// Everything outside the letters, marks, digits, punctuation, symbols and the plain space: control and
// format characters (zero-width joiners, direction marks), lone surrogates, unassigned code points.
const invisible = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u

/** A property's key. `@` is refused since RepTree joins key and vertex id with it. */
export const propertyKeySchema = z
  .string()
  .min(1)
  .max(limits.maxKeyLength)
  .refine((key) => !key.includes('@'), 'must not contain "@"')
  .refine((key) => !invisible.test(key), 'must not contain invisible characters')
  .refine((key) => !isInheritedName(key), 'must not be a name that objects inherit')

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
