import { z } from 'zod'

import { emailPattern, normalEmail } from './email.ts'
import { errorBodySchema } from './errors.ts'
import { seqSchema } from './events.ts'
import { inviteIdSchema, spaceIdSchema, treeIdSchema, userIdSchema } from './ids.ts'
import { jsonValueSchema } from './json-value.ts'
import { hasLength } from './password-length.ts'
import { inviteRoleSchema, roleNameSchema, roleSchema } from './rights.ts'

/** The bodies of HTTP requests and responses, shared by the server's routes and the client. `/docs` shows them. */

export const userSchema = z.object({ id: userIdSchema, email: z.string(), name: z.string() })
export type User = z.infer<typeof userSchema>

/** Compared and stored in its normal form: see `normalEmail`. */
const email = z
  .string()
  .overwrite(normalEmail)
  .max(254)
  .pipe(z.email({ pattern: emailPattern }))
/** Half a surrogate pair, which cut text may hold, would come back from the database as another character. */
const toWellFormed = (text: string): string => text.toWellFormed()
const displayName = z.string().trim().overwrite(toWellFormed).min(1).max(100)
/** Counted in characters, since a code unit is half an emoji. `minLength` and `maxLength` of JSON Schema count so too. */
const newPassword = z
  .string()
  .refine(hasLength(8, 256), 'must have 8 to 256 characters')
  .meta({ minLength: 8, maxLength: 256 })
/** A password to compare. The rules apply to new passwords only, so that older ones still work. */
const presentPassword = z
  .string()
  .refine(hasLength(0, 256), 'must have at most 256 characters')
  .meta({ maxLength: 256 })

/** Where the refresh token goes: into the body of the reply, or into an httpOnly cookie that scripts cannot read. */
export const sessionKindSchema = z.enum(['body', 'cookie']).default('body')

export const registerBodySchema = z.object({
  email,
  password: newPassword,
  name: displayName,
  session: sessionKindSchema,
})
export const loginBodySchema = z.object({ email, password: presentPassword, session: sessionKindSchema })

/**
 * The reply to signing up, signing in, renewing a session and changing the password: who is signed in, and the
 * tokens of their session. `refreshToken` is absent when it is in the cookie.
 */
export const sessionSchema = z.object({
  user: userSchema,
  accessToken: z.string(),
  /** How long the access token is valid from now. A duration, so that a wrong clock of the device does no harm. */
  expiresInMs: z.int().min(0),
  refreshToken: z.string().optional(),
})
export type SessionReply = z.infer<typeof sessionSchema>

/** Without `refreshToken`, the cookie has it. */
export const refreshBodySchema = z.object({ refreshToken: z.string().optional() })
export const logoutBodySchema = z.object({
  refreshToken: z.string().optional(),
  /** Whether to end every session of the user, on all devices, and not only this one. */
  everywhere: z.boolean().default(false),
})

/** Asks for the password too: somebody who finds a device unlocked has the session but not the password. */
export const changePasswordBodySchema = z.object({
  password: presentPassword,
  newPassword,
  session: sessionKindSchema,
})
export const deleteAccountBodySchema = z.object({ password: presentPassword })

const spaceName = z.string().trim().overwrite(toWellFormed).min(1).max(200)

export const spaceSchema = z.object({
  id: spaceIdSchema,
  name: spaceName,
  role: roleNameSchema,
  /** Unix milliseconds. */
  createdAt: z.int(),
})
export type SpaceSummary = z.infer<typeof spaceSchema>

/** The client chooses the id, so that a local space keeps its own. Repeating the request changes nothing. */
export const createSpaceBodySchema = z.object({ id: spaceIdSchema, name: spaceName })
export const renameSpaceBodySchema = z.object({ name: spaceName })
export const spaceListSchema = z.object({ spaces: z.array(spaceSchema) })

export const memberSchema = z.object({ user: userSchema, role: roleNameSchema, joinedAt: z.int() })
export type Member = z.infer<typeof memberSchema>
export const memberListSchema = z.object({ members: z.array(memberSchema) })
export const changeMemberBodySchema = z.object({ role: roleSchema })

export const createInviteBodySchema = z.object({ role: inviteRoleSchema })
/** A new invite. Only this reply has the token and the link: the server stores a hash of the token. */
export const inviteSchema = z.object({
  id: inviteIdSchema,
  token: z.string(),
  url: z.string(),
  /** Unix milliseconds. */
  expiresAt: z.int(),
})
export type Invite = z.infer<typeof inviteSchema>

/** An active invite, as the list of invites shows it. */
export const inviteSummarySchema = z.object({
  id: inviteIdSchema,
  role: roleNameSchema,
  createdBy: userIdSchema,
  /** Unix milliseconds. */
  createdAt: z.int(),
  expiresAt: z.int(),
  /** The number of people who joined with it. */
  uses: z.int().min(0),
})
export type InviteSummary = z.infer<typeof inviteSummarySchema>
export const inviteListSchema = z.object({ invites: z.array(inviteSummarySchema) })

/** A tree as a list of its vertices, depth first. Not nested: a chat is a chain that would nest too deep. */
export const treeSchema = z.object({
  spaceId: spaceIdSchema,
  treeId: treeIdSchema,
  /** The position in the space's log that the tree is shown at. */
  cursor: seqSchema,
  digest: z.string(),
  vertices: z.array(
    z.object({
      id: z.string(),
      /** Null for the root. */
      parentId: z.string().nullable(),
      properties: z.record(z.string(), jsonValueSchema),
    }),
  ),
})
export type TreeSnapshot = z.infer<typeof treeSchema>

export const errorResponseSchema = z.object({ error: errorBodySchema })
