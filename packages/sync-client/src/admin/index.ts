import {
  adminAuditListSchema,
  adminConnectionListSchema,
  adminInviteListSchema,
  adminLinkSchema,
  adminOverviewSchema,
  adminRegistrationSchema,
  adminSpaceDetailsSchema,
  adminSpaceListSchema,
  adminUserDetailsSchema,
  adminUserListSchema,
  adminUserSchema,
  spaceIdSchema,
  userIdSchema,
  type AdminAuditEntry,
  type AdminConnection,
  type AdminInvite,
  type AdminLink,
  type AdminOverview,
  type AdminSpace,
  type AdminSpaceDetails,
  type AdminUser,
  type AdminUserDetails,
  type Proof,
  type RegistrationMode,
  type ServerRole,
} from '@t69/protocol'
import { z } from 'zod'

import type { ReplySchema, SyncClient } from '../api.ts'
import { parseInput } from '../runtime/index.ts'

export type {
  AdminAuditEntry,
  AdminConnection,
  AdminInvite,
  AdminLink,
  AdminOverview,
  AdminSpace,
  AdminSpaceDetails,
  AdminUser,
  AdminUserDetails,
  RegistrationMode,
  ServerRole,
}

/** A page of a list, the newest entry first. */
export interface AdminPage<Entry> {
  readonly entries: readonly Entry[]
  /** The `after` of the next page; undefined at the end of the list. */
  readonly next: number | undefined
}

export interface AdminAsked {
  readonly after?: number | undefined
  readonly search?: string | undefined
}

/**
 * What an admin of the server may see and do. Every call throws as `SyncClient.call` does: `forbidden` for everybody else, and
 * for an admin who is one no more. What takes a proof that the caller asks throws `wrong_credentials` if it does not hold.
 */
export interface AdminApi {
  overview(): Promise<AdminOverview>
  chooseRegistration(mode: RegistrationMode | null): Promise<AdminOverview['registration']>
  users(asked: AdminAsked): Promise<AdminPage<AdminUser>>
  user(id: string): Promise<AdminUserDetails>
  setRole(id: string, role: ServerRole, proof: Proof): Promise<void>
  passwordLink(id: string, proof: Proof): Promise<AdminLink>
  signOut(id: string): Promise<void>
  deleteUser(id: string, proof: Proof): Promise<void>
  spaces(asked: AdminAsked): Promise<AdminPage<AdminSpace>>
  space(id: string): Promise<AdminSpaceDetails>
  deleteSpace(id: string, proof: Proof): Promise<void>
  connections(asked: AdminAsked): Promise<AdminPage<AdminConnection>>
  /** Of a person or of a space, or of everything, and of one action or of all. */
  audit(
    asked: AdminAsked & {
      readonly user?: string | undefined
      readonly space?: string | undefined
      readonly action?: string | undefined
    },
  ): Promise<AdminPage<AdminAuditEntry> & { readonly actions: readonly string[] }>
  invites(asked: AdminAsked): Promise<AdminPage<AdminInvite>>
  makeInvite(): Promise<AdminLink>
  withdrawInvite(id: string): Promise<void>
}

/** Entries on a page, as many as the server gives at most. */
const limit = '50'
/** For calls that the server answers with nothing. */
const nothing = z.undefined()
const inviteIdSchema = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits')

// Text that is no id, such as "..", could lead to another path.
const userPath = (id: string): string => `users/${parseInput(userIdSchema, id, 'id')}`
const spacePath = (id: string): string => `spaces/${parseInput(spaceIdSchema, id, 'id')}`
const invitePath = (id: string): string => `invites/${parseInput(inviteIdSchema, id, 'id')}`

/** The calls of the admin page, in the name of the user who is signed in. */
export function createAdminApi(client: Pick<SyncClient, 'call'>): AdminApi {
  function get<Reply>(
    path: string,
    schema: ReplySchema<Reply>,
    query: Readonly<Record<string, string | number | undefined>> = {},
  ): Promise<Reply> {
    const asked = new URLSearchParams()
    for (const [key, value] of Object.entries(query)) {
      if (value !== undefined && value !== '') asked.set(key, String(value))
    }
    const search = asked.size === 0 ? '' : `?${asked.toString()}`
    return client.call({ method: 'GET', path: `/api/admin/${path}${search}` }, schema)
  }

  function post<Reply>(path: string, schema: ReplySchema<Reply>, body?: object): Promise<Reply> {
    return client.call(
      { method: 'POST', path: `/api/admin/${path}`, ...(body !== undefined && { body }) },
      schema,
    )
  }

  return {
    overview: () => get('overview', adminOverviewSchema),
    chooseRegistration: (mode) => post('registration', adminRegistrationSchema, { mode }),
    users: async (asked) => {
      const { users: entries, next } = await get('users', adminUserListSchema, { ...asked, limit })
      return { entries, next }
    },
    user: async (id) => get(userPath(id), adminUserDetailsSchema),
    setRole: async (id, role, proof) =>
      void (await post(`${userPath(id)}/role`, adminUserSchema, { role, ...proof })),
    passwordLink: async (id, proof) => post(`${userPath(id)}/password-link`, adminLinkSchema, proof),
    signOut: async (id) => post(`${userPath(id)}/sign-out`, nothing),
    deleteUser: async (id, proof) => post(`${userPath(id)}/delete`, nothing, proof),
    spaces: async (asked) => {
      const { spaces: entries, next } = await get('spaces', adminSpaceListSchema, { ...asked, limit })
      return { entries, next }
    },
    space: async (id) => get(spacePath(id), adminSpaceDetailsSchema),
    deleteSpace: async (id, proof) => post(`${spacePath(id)}/delete`, nothing, proof),
    connections: async ({ after }) => {
      const reply = await get('connections', adminConnectionListSchema, { after, limit })
      return { entries: reply.connections, next: reply.next }
    },
    audit: async (asked) => {
      const { entries, actions, next } = await get('audit', adminAuditListSchema, { ...asked, limit })
      return { entries, actions, next }
    },
    invites: async ({ after }) => {
      const reply = await get('invites', adminInviteListSchema, { after, limit })
      return { entries: reply.invites, next: reply.next }
    },
    makeInvite: () => post('invites', adminLinkSchema),
    withdrawInvite: async (id) =>
      client.call({ method: 'DELETE', path: `/api/admin/${invitePath(id)}` }, nothing),
  }
}
