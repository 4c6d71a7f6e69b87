import type { SpaceId, UserId } from '@t69/protocol'

/**
 * Whose quota a space counts against: of its owners, the one who joined first. So the payer can always delete
 * the space or remove the member who fills it. Its creator may have left long ago.
 */
export interface SpacePayers {
  /** Undefined for a space without an owner. */
  payerOf(spaceId: SpaceId): UserId | undefined
  /** The spaces that count against the user's quota. */
  paidBy(userId: UserId): SpaceId[]
}
