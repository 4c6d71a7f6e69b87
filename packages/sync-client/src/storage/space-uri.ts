import type { SpaceId } from '@t69/protocol'

/** Returns t69's address of a local space. A synced space keeps it until the server knows the space. */
export const localUri = (spaceId: SpaceId): string => `browser://${spaceId}`

export const serverUri = (url: string, spaceId: SpaceId): string => new URL(`/spaces/${spaceId}`, url).href

export const isLocalUri = (uri: string): boolean => !/^https?:/.test(uri)
