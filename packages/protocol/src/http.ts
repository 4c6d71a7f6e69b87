import { z } from 'zod'

import { emailPattern, normalEmail } from './email.ts'
import { errorBodySchema } from './errors.ts'
import { commitSchema, seqSchema } from './events.ts'
import {
  inviteIdSchema,
  registrationIdSchema,
  sessionIdSchema,
  spaceIdentitySchema,
  spaceIdSchema,
  treeIdSchema,
  userIdSchema,
} from './ids.ts'
import { jsonValueSchema } from './json-value.ts'
import { limits } from './limits.ts'
import { hasLength } from './password-length.ts'
import { inviteRoleSchema, roleNameSchema, roleSchema } from './rights.ts'

/** The bodies of HTTP requests and responses, shared by the server's routes and the client. `/docs` shows them. */

export const userSchema = z.object({ id: userIdSchema, email: z.string(), name: z.string() })
export type User = z.infer<typeof userSchema>

/** Compared and stored in its normal form: see `normalEmail`. */
export const emailSchema = z
  .string()
  .overwrite(normalEmail)
  .max(254)
  .pipe(z.email({ pattern: emailPattern }))
/** Half a surrogate pair, which cut text may hold, would come back from the database as another character. */
const toWellFormed = (text: string): string => text.toWellFormed()
const displayName = z.string().trim().overwrite(toWellFormed).min(1).max(100)
/** Counted in characters, since a code unit is half an emoji. `minLength` and `maxLength` of JSON Schema count so too. */
export const newPasswordSchema = z
  .string()
  .refine(hasLength(8, 256), 'must have 8 to 256 characters')
  .meta({ minLength: 8, maxLength: 256 })
/** A password to compare. The rules apply to new passwords only, so that older ones still work. */
export const presentPasswordSchema = z
  .string()
  .refine(hasLength(0, 256), 'must have at most 256 characters')
  .meta({ maxLength: 256 })

/** What somebody may change of their account without the password. */
export const changeUserBodySchema = z.object({ name: displayName })

/** Where the refresh token goes: into the body of the reply, or into an httpOnly cookie that scripts cannot read. */
export const sessionKindSchema = z.enum(['body', 'cookie']).default('body')

/** What the server has sealed, for a device to keep and to show to it again. Opaque to everybody else. */
const sealText = z.string().min(1).max(limits.maxSealLength)
/** The token of a link: of an invite to a space or to the server, or to set a password. */
export const inviteTokenSchema = z.string().min(1).max(100)

export const registerBodySchema = z.object({
  email: emailSchema,
  password: newPasswordSchema,
  name: displayName,
  session: sessionKindSchema,
  /** The seal of an account with this address that this device had: if the server has lost it, it is made again. */
  seal: sealText.optional(),
  /** Admits to signing up where that takes an invite. It joins no space yet. */
  invite: inviteTokenSchema.optional(),
})

/** Who may sign up: anyone, whoever has an invite, or nobody. */
export const registrationModeSchema = z.enum(['open', 'invite', 'closed'])
export type RegistrationMode = z.infer<typeof registrationModeSchema>

/** What a sign-up takes on this server, for the form. */
export const registrationSchema = z.object({
  mode: registrationModeSchema,
  /** Without accounts, the first needs no invite. */
  hasAccounts: z.boolean(),
  /** Whether the server sends a link to whoever forgot the password. */
  mailsLinks: z.boolean().default(false),
  /** Where people may sign in instead of with a password (OpenID Connect), by its name. */
  provider: z.object({ name: z.string() }).optional(),
  /** Whether people may sign in with a passkey. */
  passkeys: z.boolean().default(false),
})
export type Registration = z.infer<typeof registrationSchema>
/** With the seal that the device keeps of the account. */
export const askAccountBodySchema = z.object({ seal: sealText })
/**
 * What the server knows of an account: it has it; it was deleted, or one that had its address later was; or else the server
 * never had it, or has lost it.
 */
export const accountStateSchema = z.object({ state: z.enum(['here', 'deleted', 'lost']) })
export type AccountState = z.infer<typeof accountStateSchema>['state']
export const loginBodySchema = z.object({
  email: emailSchema,
  password: presentPasswordSchema,
  session: sessionKindSchema,
})

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
  /** The account, sealed by the server, for the device to keep: see `registerBodySchema`. */
  seal: sealText,
})
export type SessionReply = z.infer<typeof sessionSchema>

/** Without `refreshToken`, the cookie has it. */
export const refreshBodySchema = z.object({ refreshToken: z.string().optional() })
export const logoutBodySchema = z.object({
  refreshToken: z.string().optional(),
  /** Whether to end every session of the user, on all devices, and not only this one. */
  everywhere: z.boolean().default(false),
})

/** A session of the caller, that is a device on which they are signed in. */
const sessionEntrySchema = z.object({
  id: sessionIdSchema,
  /** A short name, such as `Firefox on Linux`, made of what the device said at sign-in. Empty if it said nothing. */
  device: z.string(),
  /** When it began, in Unix milliseconds. */
  createdAt: z.int(),
  /** When it was renewed last, which a device that is online does every few minutes. Unix milliseconds. */
  lastUsedAt: z.int(),
  /** Whether the request came from it. */
  isThis: z.boolean(),
})
export type SessionEntry = z.infer<typeof sessionEntrySchema>

/** In the body, like the token of an invite. */
export const passwordLinkBodySchema = z.object({ token: inviteTokenSchema })
/** Whose password a link sets, for whoever has it. */
export const passwordLinkSchema = z.object({
  user: userSchema,
  /** Unix milliseconds. */
  expiresAt: z.int(),
})
export type PasswordLink = z.infer<typeof passwordLinkSchema>
export const setPasswordBodySchema = z.object({
  token: inviteTokenSchema,
  newPassword: newPasswordSchema,
  session: sessionKindSchema,
})
/** Asks for a link by mail. The answer is the same whether there is such an account. */
export const forgotPasswordBodySchema = z.object({ email: emailSchema })
export const confirmAddressBodySchema = z.object({ token: inviteTokenSchema })

/** Where the browser has to go. It comes back to the app with `#provider=returned`, or `declined` or `failed`. */
export const providerVisitSchema = z.object({ url: z.url() })
/** Whoever came back from the provider to sign in. A device sends the seals that it keeps: see `registerBodySchema`. */
export const providerSignInBodySchema = z.object({
  session: sessionKindSchema,
  seals: z.array(sealText).max(20).default([]),
})
/** How the caller may sign in. */
export const waysToSignInSchema = z.object({
  hasPassword: z.boolean(),
  /** Whether the server sends the mail that a change of address takes. */
  canChangeAddress: z.boolean(),
  /** Absent where there is no provider. */
  provider: z.object({ name: z.string(), isConnected: z.boolean() }).optional(),
  /** How many passkeys the caller has that work here. Absent where nobody can have any. */
  passkeys: z.int().min(0).optional(),
})
export type WaysToSignIn = z.infer<typeof waysToSignInSchema>

const spaceName = z.string().trim().overwrite(toWellFormed).min(1).max(200)

export const spaceSchema = z.object({
  id: spaceIdSchema,
  identity: spaceIdentitySchema,
  name: spaceName,
  role: roleNameSchema,
  /** Unix milliseconds. */
  createdAt: z.int(),
})
export type SpaceSummary = z.infer<typeof spaceSchema>

/**
 * The client chooses the id, so that a local space keeps its own. Repeating the request changes nothing.
 *
 * `registration` is a random id that a device makes and keeps before it registers a space of its own. With it, a space
 * that somebody else has registered under this id is refused `already_exists`, also to its members: a device that repeats
 * a request whose reply was lost learns whether the space is its own.
 *
 * `seal` is the seal of a space that the device has joined before. A server that lacks the space, or changes of its
 * members, takes them from it.
 */
export const createSpaceBodySchema = z.object({
  id: spaceIdSchema,
  name: spaceName,
  registration: registrationIdSchema.optional(),
  seal: sealText.optional(),
})
export const renameSpaceBodySchema = z.object({ name: spaceName })

/** Which page of a list: at most `limit` entries, after the end of an earlier page. Without `limit`, as many as fit. */
export const pageQuerySchema = z.object({
  /** The `next` of the page before. */
  after: z.string().max(100).optional(),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(limits.maxPageEntries)
    .optional()
    .meta({ type: 'integer', minimum: 1, maximum: limits.maxPageEntries }),
})
export type PageQuery = z.infer<typeof pageQuerySchema>
/** Where the next page begins, if there may be one: see `pageQuerySchema`. Opaque to clients. */
const next = z.string().min(1).max(100).optional()

export const sessionListSchema = z.object({ sessions: z.array(sessionEntrySchema), next })

export const spaceListSchema = z.object({ spaces: z.array(spaceSchema), next })

export const memberSchema = z.object({ user: userSchema, role: roleNameSchema, joinedAt: z.int() })
export type Member = z.infer<typeof memberSchema>
/** A member whose account the server has lost. They are a member again once they sign up on a device that had it. */
export const absentMemberSchema = z.object({ user: userSchema, role: roleNameSchema })
export type AbsentMember = z.infer<typeof absentMemberSchema>
export const memberListSchema = z.object({
  members: z.array(memberSchema),
  absent: z.array(absentMemberSchema),
  next,
})
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

/** In the body, not in the address: addresses are logged on the way. */
export const previewInviteBodySchema = z.object({ token: z.string().min(1).max(100) })
/** What an invite is, for anyone with its link, before they join. Names no e-mail address. */
export const invitePreviewSchema = z.object({
  /** The name of the space. */
  space: spaceName,
  /** The role that somebody who joins gets. A newer server may name one that this version does not know. */
  role: roleNameSchema,
  /** The name of the user who created the invite. */
  invitedBy: z.string(),
  /** Unix milliseconds. */
  expiresAt: z.int(),
  /** The id of the space, for a caller who is signed in and a member of it already. */
  memberOf: spaceIdSchema.optional(),
})
export type InvitePreview = z.infer<typeof invitePreviewSchema>

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
export const inviteListSchema = z.object({ invites: z.array(inviteSummarySchema), next })

export const treeQuerySchema = z.object({
  /** The position in the space's log to show the tree at. Default: the newest. */
  at: z.coerce.number().int().min(1).optional(),
})

/** A tree as a list of its vertices, depth first. Not nested: a chat is a chain that would nest too deep. */
export const treeSchema = z.object({
  spaceId: spaceIdSchema,
  treeId: treeIdSchema,
  /** The position in the space's log that the tree is shown at. */
  cursor: seqSchema,
  /**
   * Who committed the operation at that position, and when (Unix ms, exact to the minute), by the server's word. `userId` is null
   * for what was committed before servers kept account of it.
   */
  commit: commitSchema.omit({ after: true }),
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
