import type { SpaceId } from '../ids.ts'
import type { TreeOperation } from '../operation.ts'

/**
 * Operations of one space, in an order that the encoding keeps. The bytes are laid out in columns
 * (SPEC.md, "Batches"): equal operations in equal order give equal bytes, and no other bytes decode to them.
 */
export interface Batch {
  readonly spaceId: SpaceId
  readonly ops: readonly TreeOperation[]
}

/** The first byte of every batch. Goes up, together with `protocolVersion`, when the layout changes. */
export const batchVersion = 1
