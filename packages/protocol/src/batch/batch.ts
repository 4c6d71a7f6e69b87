import type { SpaceId } from '../ids.ts'
import type { TreeOperation } from '../operation.ts'

/**
 * Operations of one space, in order. Encoded, they are laid out in columns (SPEC.md, "Batches"). Equal operations in
 * equal order encode to equal bytes, and no other bytes decode to them.
 */
export interface Batch {
  readonly spaceId: SpaceId
  readonly ops: readonly TreeOperation[]
}

/** The version of the layout, and the first byte of every batch. A change of it also raises `protocolVersion`. */
export const batchVersion = 1
