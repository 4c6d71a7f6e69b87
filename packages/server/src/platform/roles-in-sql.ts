import { type Right, rolesWith } from '@t69/protocol'
import { type RawBuilder, sql } from 'kysely'

/** The roles that have a right, as constants for a statement: `where('role', 'in', sqlRolesWith('own'))`. */
export function sqlRolesWith(right: Right): RawBuilder<string>[] {
  return rolesWith(right).map((role) => sql.lit(role))
}
