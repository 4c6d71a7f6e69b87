import type { SpaceId, SpaceIdentity, SpaceSeal } from '@t69/protocol'

/** What a log keeps: whose it is, and who was in the space at that moment. */
export interface KeptAccess extends SpaceSeal {
  readonly identity: SpaceIdentity
}

/**
 * Logs keep the access list too, so that accounts which are restored from an older copy let nobody in who was removed
 * since.
 */
export interface AccessInLogs {
  /**
   * Merges the list that a log has kept into the accounts, if they lack a change of it. Whoever loses access by that is
   * out of the space when this returns. Returns the list that the log has to keep now; undefined when it has it.
   */
  merged(spaceId: SpaceId, kept: KeptAccess | undefined): KeptAccess | undefined
}

/** For spaces whose accounts are elsewhere, such as those of tests. */
export const noAccessInLogs: AccessInLogs = { merged: () => undefined }
