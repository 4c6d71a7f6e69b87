import type { SpaceId } from '@t69/protocol'

import { onServer } from '../runtime/index.ts'

/** Returns t69's address of a local space. A synced space keeps it until the server knows the space. */
export const localUri = (spaceId: SpaceId): string => `browser://${spaceId}`

export const serverUri = (url: string, spaceId: SpaceId): string => onServer(url, `/spaces/${spaceId}`).href

export const isLocalUri = (uri: string): boolean => !/^https?:/.test(uri)
