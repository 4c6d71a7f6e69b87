import { spaceIdSchema, userIdSchema } from '@t69/protocol'

import type { StoredSpace } from '../client-storage.ts'
import type { SpaceSetup } from './local-db-schema.ts'

/** A row of t69's `spaces` as a stored space, or undefined when its id could name no space here. */
export function parseSpaceRow(row: SpaceSetup): StoredSpace | undefined {
  const id = spaceIdSchema.safeParse(row.id)
  if (!id.success) return undefined
  const userId = userIdSchema.safeParse(row.userId)
  return {
    id: id.data,
    uri: typeof row.uri === 'string' ? row.uri : `browser://${id.data}`,
    name: typeof row.name === 'string' ? row.name : null,
    createdAt: asDate(row.createdAt),
    userId: userId.success ? userId.data : null,
  }
}

/** The row with what `StoredSpace` names replaced, and the rest as it was. */
export function spaceRow(space: StoredSpace, existing: SpaceSetup | undefined): SpaceSetup {
  const { id, uri, name, createdAt, userId } = space
  const kept = existing ?? { ttabsLayout: null, theme: null, colorScheme: null, drafts: null }
  return { ...kept, id, uri, name, createdAt, userId }
}

/** t69 kept dates, and for a while what JSON makes of them. */
export function asDate(value: unknown): Date {
  const date = value instanceof Date ? value : new Date(typeof value === 'number' ? value : String(value))
  return Number.isNaN(date.getTime()) ? new Date(0) : date
}
