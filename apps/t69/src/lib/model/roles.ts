import type { InviteRole, Role, RoleName } from '@t69/protocol'

/**
 * Roles as the screens name them. A role that the protocol gains does not compile until it is named here. One that
 * only a newer server knows is shown by its own name, and cannot be given to anyone.
 */
function roleTitles(): Record<Role, string> {
  return { owner: 'Owner', editor: 'Editor', viewer: 'Viewer' }
}

/** What someone with an invite link of that role can do. */
function inviteTitles(): Record<InviteRole, string> {
  return { editor: 'Can edit', viewer: 'Can view' }
}

export function isRole(name: RoleName): name is Role {
  return Object.hasOwn(roleTitles(), name)
}

export function isInviteRole(name: RoleName): name is InviteRole {
  return Object.hasOwn(inviteTitles(), name)
}

const roles = Object.keys(roleTitles()).filter(isRole)
export const inviteRoles = Object.keys(inviteTitles()).filter(isInviteRole)

export function roleTitle(name: RoleName): string {
  return isRole(name) ? roleTitles()[name] : name
}

export function inviteTitle(role: InviteRole): string {
  return inviteTitles()[role]
}

/** A role in the list that a member's role is chosen from. */
export interface RoleChoice {
  readonly role: RoleName
  readonly title: string
  /** The member has it, but this version cannot give it to anyone. */
  readonly disabled: boolean
}

/** The roles that can be given to a member, after the member's own where this version does not know it. */
export function roleChoices(current: RoleName): RoleChoice[] {
  const known = roles.map((role) => ({ role, title: roleTitles()[role], disabled: false }))
  return isRole(current) ? known : [{ role: current, title: current, disabled: true }, ...known]
}
