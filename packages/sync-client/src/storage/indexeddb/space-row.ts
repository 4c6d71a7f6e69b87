import { spaceIdSchema, userIdSchema } from '@t69/protocol'

import type { StoredSpace } from '../client-storage.ts'
import { localUri } from '../space-uri.ts'
import type { SpaceSetup } from './local-db-schema.ts'

/** Converts a row of t69's `spaces` table to a stored space. Returns undefined if its id is not a space id. */
export function parseSpaceRow(row: SpaceSetup): StoredSpace | undefined {
  const id = spaceIdSchema.safeParse(row.id)
  if (!id.success) return undefined
  const userId = userIdSchema.safeParse(row.userId)
  return {
    id: id.data,
    uri: typeof row.uri === 'string' ? row.uri : localUri(id.data),
    name: typeof row.name === 'string' ? row.name : null,
    createdAt: asDate(row.createdAt),
    userId: userId.success ? userId.data : null,
    ...(typeof row.server === 'string' ? { server: row.server } : {}),
  }
}

/** Returns the row of a space: the fields of `StoredSpace`, and the rest of the existing row. */
export function spaceRow(space: StoredSpace, existing: SpaceSetup | undefined): SpaceSetup {
  const { id, uri, name, createdAt, userId, server } = space
  const kept = existing ?? { ttabsLayout: null, theme: null, colorScheme: null, drafts: null }
  return { ...kept, id, uri, name, createdAt, userId, ...(server === undefined ? {} : { server }) }
}

/** Converts a stored date. t69 stored dates, and for a while their JSON. */
export function asDate(value: unknown): Date {
  const date = value instanceof Date ? value : new Date(typeof value === 'number' ? value : String(value))
  return Number.isNaN(date.getTime()) ? new Date(0) : date
}
