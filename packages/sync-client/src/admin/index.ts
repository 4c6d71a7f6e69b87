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
  type AdminAuditEntry,
  type AdminConnection,
  type AdminInvite,
  type AdminLink,
  type AdminOverview,
  type AdminSpace,
  type AdminSpaceDetails,
  type AdminUser,
  type AdminUserDetails,
  type RegistrationMode,
  type ServerRole,
} from '@t69/protocol'

import type { ReplySchema, SyncClient } from '../api.ts'

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
 * for an admin who is one no more. What takes a password throws `wrong_credentials` if it is not that of the caller.
 */
export interface AdminApi {
  overview(): Promise<AdminOverview>
  chooseRegistration(mode: RegistrationMode | null): Promise<AdminOverview['registration']>
  users(asked: AdminAsked): Promise<AdminPage<AdminUser>>
  user(id: string): Promise<AdminUserDetails>
  setRole(id: string, role: ServerRole, password: string): Promise<void>
  passwordLink(id: string, password: string): Promise<AdminLink>
  signOut(id: string): Promise<void>
  deleteUser(id: string, password: string): Promise<void>
  spaces(asked: AdminAsked): Promise<AdminPage<AdminSpace>>
  space(id: string): Promise<AdminSpaceDetails>
  deleteSpace(id: string, password: string): Promise<void>
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
/** Accepts any reply, for calls whose reply carries nothing. */
const nothing: ReplySchema<null> = { safeParse: () => ({ success: true, data: null }) }

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
    user: (id) => get(`users/${id}`, adminUserDetailsSchema),
    setRole: async (id, role, password) => void (await post(`users/${id}/role`, nothing, { role, password })),
    passwordLink: (id, password) => post(`users/${id}/password-link`, adminLinkSchema, { password }),
    signOut: async (id) => void (await post(`users/${id}/sign-out`, nothing)),
    deleteUser: async (id, password) => void (await post(`users/${id}/delete`, nothing, { password })),
    spaces: async (asked) => {
      const { spaces: entries, next } = await get('spaces', adminSpaceListSchema, { ...asked, limit })
      return { entries, next }
    },
    space: (id) => get(`spaces/${id}`, adminSpaceDetailsSchema),
    deleteSpace: async (id, password) => void (await post(`spaces/${id}/delete`, nothing, { password })),
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
      void (await client.call({ method: 'DELETE', path: `/api/admin/invites/${id}` }, nothing)),
  }
}
