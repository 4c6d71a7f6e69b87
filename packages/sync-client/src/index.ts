// What an app meets in this package's calls, so that it need not depend on the packages below.
export { errorCodes, limits, SyncError } from '@t69/protocol'
export type {
  ErrorBody,
  ErrorCode,
  Invite,
  InviteId,
  InvitePreview,
  InviteRole,
  InviteSummary,
  JsonValue,
  Member,
  PasskeyAssertion,
  PasswordLink,
  Presence,
  Proof,
  Registration,
  Rights,
  Role,
  RoleName,
  SessionEntry,
  SessionId,
  SpaceId,
  SpaceIdentity,
  SpaceSummary,
  TreeId,
  TreeOperation,
  User,
  UserId,
  VisitProvider,
  WaysToSignIn,
} from '@t69/protocol'
export { deletionsOf, restoreDeletion, stillDeleted, watchDeletions } from '@t69/replica'
export type {
  DeletedRoot,
  DeletedVertex,
  Deletion,
  Replica,
  Vertex,
  VertexChangeEvent,
  VertexOperation,
} from '@t69/replica'

export * from './api.ts'
export * from './client/index.ts'
export {
  createSocketIoTransport,
  type Connection,
  type ConnectionListener,
  type SocketIoTransportOptions,
  type Transport,
} from './link/index.ts'
export type { Runtime } from './runtime/index.ts'
export {
  memoryStorage,
  SupersededError,
  type AttestedRun,
  type Attestation,
  type ClientStorage,
  type MemoryStorageOptions,
  type OutboxRange,
  type OutboxSlice,
  type PendingCounts,
  type KeptSeal,
  type RejectedEdit,
  type SpaceProof,
  type StoredSpace,
  type SyncState,
} from './storage/index.ts'
export { localdb, openIndexedDbStorage, type IndexedDbStorageOptions } from './storage/indexeddb/index.ts'
export { browserTabs, createTabGroup, oneTabAtATime, soloTabs, type Tabs } from './tabs/index.ts'
