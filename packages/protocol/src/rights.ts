import { z } from 'zod'

/** What a member can be in a space. A new role does not compile until `rightsByRole` says what it may do. */
export const roleSchema = z.enum(['owner', 'editor', 'viewer'])
export type Role = z.infer<typeof roleSchema>

/** The roles that an invite link can give. */
export const inviteRoleSchema = roleSchema.exclude(['owner'])
export type InviteRole = z.infer<typeof inviteRoleSchema>

/**
 * A role in something that a server sent. A newer server may know roles that this version does not: the client
 * still reads and shows the space, and `rightsOf` grants it nothing else.
 */
export const roleNameSchema = z.string().min(1).max(64)
export type RoleName = Role | (string & {})

/** What a role may do in a space. Every member may leave. */
export interface Rights {
  /** Join the space, pull its log, read and compare trees, see members, be present. */
  readonly read: boolean
  /** Push operations and show transient changes. */
  readonly edit: boolean
  /** Give the space another name. */
  readonly rename: boolean
  /** Create, list and withdraw invite links. */
  readonly invite: boolean
  /** Change the roles of members, and remove them. */
  readonly manageMembers: boolean
  /** Delete the space for everybody. */
  readonly delete: boolean
  /** Count as an owner: a space keeps at least one, and its storage counts against the quota of one of them. */
  readonly own: boolean
}
export type Right = keyof Rights

/** The rights of anyone who is not a member, and of a role that is not in the table. */
export const noRights: Rights = {
  read: false,
  edit: false,
  rename: false,
  invite: false,
  manageMembers: false,
  delete: false,
  own: false,
}

/**
 * Who may do what in a space: the one table that the gateway, the HTTP routes, the client and the app ask.
 * What is not in it is not allowed.
 */
export const rightsByRole = {
  owner: { read: true, edit: true, rename: true, invite: true, manageMembers: true, delete: true, own: true },
  editor: { ...noRights, read: true, edit: true, rename: true },
  viewer: { ...noRights, read: true },
} as const satisfies Record<Role, Rights>

/**
 * The rights of a role, by its name; `noRights` for nobody (`null`, `undefined`) and for an unknown role.
 *
 *     if (!rightsOf(role).edit) throw new SyncError('forbidden', 'This role does not edit the space')
 */
export function rightsOf(role: RoleName | null | undefined): Rights {
  const known = roleSchema.safeParse(role)
  return known.success ? rightsByRole[known.data] : noRights
}

/** The roles that have a right, in the order of `roleSchema`. */
export function rolesWith(right: Right): readonly Role[] {
  return roleSchema.options.filter((role) => rightsByRole[role][right])
}
