import { z } from 'zod'

import { errorBodySchema } from './errors.ts'
import { seqSchema } from './events.ts'
import { inviteIdSchema, spaceIdSchema, treeIdSchema, userIdSchema } from './ids.ts'
import { jsonValueSchema } from './json-value.ts'
import { inviteRoleSchema, roleNameSchema, roleSchema } from './rights.ts'

/** Bodies of the HTTP side. The server's routes and the client's calls share them; `/docs` shows them. */

export const userSchema = z.object({ id: userIdSchema, email: z.string(), name: z.string() })
export type User = z.infer<typeof userSchema>

const email = z.string().trim().toLowerCase().max(254).pipe(z.email())
const displayName = z.string().trim().min(1).max(100)
const newPassword = z.string().min(8).max(256)
/** Whatever it is, it is compared: rules are for new ones. */
const presentPassword = z.string().max(256)

/** `cookie` keeps the refresh token in an httpOnly cookie, out of reach of scripts. */
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
  /** How long the access token is valid from now on; durations survive a wrong clock. */
  expiresInMs: z.int().min(0),
  refreshToken: z.string().optional(),
})
export type SessionReply = z.infer<typeof sessionSchema>

/** The refresh token comes from here or from the cookie. */
export const refreshBodySchema = z.object({ refreshToken: z.string().optional() })
export const logoutBodySchema = z.object({
  refreshToken: z.string().optional(),
  /** Ends every session of the user, on all devices. */
  everywhere: z.boolean().default(false),
})

/** Whoever finds a device unlocked has its session, and not the password. */
export const changePasswordBodySchema = z.object({
  password: presentPassword,
  newPassword,
  session: sessionKindSchema,
})
export const deleteAccountBodySchema = z.object({ password: presentPassword })

const spaceName = z.string().trim().min(1).max(200)

export const spaceSchema = z.object({
  id: spaceIdSchema,
  name: spaceName,
  role: roleNameSchema,
  /** Unix milliseconds. */
  createdAt: z.int(),
})
export type SpaceSummary = z.infer<typeof spaceSchema>

/** The client names the id: a space that was local keeps its own. Repeating it changes nothing. */
export const createSpaceBodySchema = z.object({ id: spaceIdSchema, name: spaceName })
export const renameSpaceBodySchema = z.object({ name: spaceName })
export const spaceListSchema = z.object({ spaces: z.array(spaceSchema) })

export const memberSchema = z.object({ user: userSchema, role: roleNameSchema, joinedAt: z.int() })
export type Member = z.infer<typeof memberSchema>
export const memberListSchema = z.object({ members: z.array(memberSchema) })
export const changeMemberBodySchema = z.object({ role: roleSchema })

export const createInviteBodySchema = z.object({ role: inviteRoleSchema })
/** The link is shown once, to whoever made it: the server keeps what tells the token when it comes back. */
export const inviteSchema = z.object({
  id: inviteIdSchema,
  token: z.string(),
  url: z.string(),
  /** Unix milliseconds. */
  expiresAt: z.int(),
})
export type Invite = z.infer<typeof inviteSchema>

/** An invite that is good, as owners see it afterwards. */
export const inviteSummarySchema = z.object({
  id: inviteIdSchema,
  role: roleNameSchema,
  createdBy: userIdSchema,
  /** Unix milliseconds. */
  createdAt: z.int(),
  expiresAt: z.int(),
  /** How many people joined by it. */
  uses: z.int().min(0),
})
export type InviteSummary = z.infer<typeof inviteSummarySchema>
export const inviteListSchema = z.object({ invites: z.array(inviteSummarySchema) })

/** A tree as its vertices in depth-first order, the root first: a chat is too deep a chain to nest. */
export const treeSchema = z.object({
  spaceId: spaceIdSchema,
  treeId: treeIdSchema,
  /** The position in the space's log that this shows. */
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
