import type { SpaceId } from '@t69/protocol'

/** t69's address of a space that is on a device. A synced one keeps it until the server knows the space. */
export const localUri = (spaceId: SpaceId): string => `browser://${spaceId}`

export const serverUri = (url: string, spaceId: SpaceId): string => new URL(`/spaces/${spaceId}`, url).href

export const isLocalUri = (uri: string): boolean => !/^https?:/.test(uri)
