import type {
  AdminAuditQuery,
  AdminOverview,
  AdminPageQuery,
  AdminSearchQuery,
  AdminSpaceDetails,
  AdminUser,
  AdminUserDetails,
  adminAuditListSchema,
  adminConnectionListSchema,
  adminInviteListSchema,
  adminRegistrationSchema,
  adminSpaceListSchema,
  adminUserListSchema,
  RegistrationMode,
  SpaceId,
  UserId,
} from '@t69/protocol'
import type { z } from 'zod'

/** Who administers the server over HTTP, for the audit table. */
export interface Administrator {
  readonly actorId: UserId
  /** Where the request came from. */
  readonly address: string
}

/** A secret that is told once. Its expiry is in Unix milliseconds. */
export interface NewToken {
  readonly token: string
  readonly expiresAt: number
}

/**
 * What an admin sees and does over HTTP: the same as the operator's command, in pages. Whoever calls has checked that an
 * admin asks. Rejects with `SyncError`: `not_found` for what is not there, and `forbidden` for what must not be done. Each
 * change is noted in the audit table.
 */
export interface Administration {
  /** Whether the account has the role `admin` at this moment. */
  isAdmin(userId: UserId): boolean
  overview(): Promise<AdminOverview>
  users(page: AdminSearchQuery): Promise<z.output<typeof adminUserListSchema>>
  user(userId: UserId): Promise<AdminUserDetails>
  spaces(page: AdminSearchQuery): Promise<z.output<typeof adminSpaceListSchema>>
  space(spaceId: SpaceId): Promise<AdminSpaceDetails>
  connections(page: AdminPageQuery): Promise<z.output<typeof adminConnectionListSchema>>
  audit(page: AdminAuditQuery): Promise<z.output<typeof adminAuditListSchema>>
  invites(page: AdminPageQuery): Promise<z.output<typeof adminInviteListSchema>>
  /** Null for what the setting says. */
  chooseRegistration(
    by: Administrator,
    mode: RegistrationMode | null,
  ): Promise<z.output<typeof adminRegistrationSchema>>
  /** Throws `forbidden` for the last admin. */
  setRole(by: Administrator, userId: UserId, role: AdminUser['role']): Promise<AdminUser>
  /** For a link by which the account's owner sets another password. */
  passwordLink(by: Administrator, userId: UserId): Promise<NewToken>
  /** Ends all sessions of the account, with their sockets. */
  signOut(by: Administrator, userId: UserId): Promise<void>
  /** Throws `forbidden` for the account of the admin, and where members would be left without an owner. */
  deleteUser(by: Administrator, userId: UserId): Promise<void>
  deleteSpace(by: Administrator, spaceId: SpaceId): Promise<void>
  /** For a link by which one person may sign up. */
  makeInvite(by: Administrator): Promise<NewToken>
  withdrawInvite(by: Administrator, id: string): Promise<void>
}
