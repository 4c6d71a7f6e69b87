import { z } from 'zod'

import { userSchema } from './http.ts'

/** What somebody may do with the server itself, rather than with a space. */
export const serverRoleSchema = z.enum(['admin', 'member'])
export type ServerRole = z.infer<typeof serverRoleSchema>

/** The caller of a route, with their role. An earlier server does not say it. */
export const meSchema = userSchema.extend({ role: serverRoleSchema.catch('member') })
