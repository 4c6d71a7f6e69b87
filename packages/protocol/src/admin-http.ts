import { z } from 'zod'

import { proofSchema } from './account-http.ts'
import { registrationModeSchema } from './http.ts'
import { sessionIdSchema, spaceIdSchema, userIdSchema } from './ids.ts'
import { roleNameSchema } from './rights.ts'
import { serverRoleSchema } from './server-role.ts'

/**
 * The bodies of the routes of the admin page, below `/api/admin`. They are no part of the wire that has a version: a page
 * asks the server that it came from. Times are Unix milliseconds, sizes are bytes.
 */

const count = z.int().min(0)
const time = z.int()

/** Entries that a page of a list has at most. */
export const maxAdminEntries = 50
/** Rows that the server visits for one page: a search may have to go on for the next entries. */
export const adminRowsVisited = 5_000

/** A page of a list, the newest first. */
export const adminPageQuerySchema = z.object({
  /** The `next` of the page before. */
  after: z.coerce.number().int().min(0).optional().meta({ type: 'integer', minimum: 0 }),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(maxAdminEntries)
    .default(maxAdminEntries)
    .meta({ type: 'integer', minimum: 1, maximum: maxAdminEntries }),
})
export type AdminPageQuery = z.output<typeof adminPageQuerySchema>
/** Part of a name, an address or an id, whatever its case. */
export const adminSearchQuerySchema = adminPageQuerySchema.extend({ search: z.string().max(254).default('') })
export type AdminSearchQuery = z.output<typeof adminSearchQuerySchema>
export const adminAuditQuerySchema = adminPageQuerySchema.extend({
  user: userIdSchema.optional(),
  space: spaceIdSchema.optional(),
  /** One of `actions` of the first page. */
  action: z.string().max(100).optional(),
})
export type AdminAuditQuery = z.output<typeof adminAuditQuerySchema>

/** Where the list goes on. A page may be empty and have it: the rows that were visited did not match. */
const next = count.optional()

export const adminRoleBodySchema = proofSchema.extend({ role: serverRoleSchema })
/** Null for what the setting says. */
export const adminRegistrationBodySchema = z.object({ mode: registrationModeSchema.nullable() })

export const adminRegistrationSchema = z.object({
  mode: registrationModeSchema,
  /** What the server's setting says. */
  setting: registrationModeSchema,
  /** When somebody chose the mode; null while the setting counts. */
  chosenAt: time.nullable(),
})

export const adminOverviewSchema = z.object({
  version: z.string(),
  startedAt: time,
  registration: adminRegistrationSchema,
  users: count,
  admins: count,
  spaces: count,
  sessions: count,
  connections: count,
  openSpaces: count,
  disk: z.object({ freeBytes: count, bytes: count }),
  /** How long the event loop was held up in the last minute or two, in ms: 99 of 100 times less. */
  heldUpMs: z.number(),
  trouble: z.object({
    /** Spaces whose file failed and has not worked since, the newest failure first. At most 50. */
    failing: z.array(z.object({ id: spaceIdSchema, name: z.string().nullable(), at: time })),
    /** Files that were set aside because they could not be used. At most 50 are listed. */
    setAside: z.array(z.object({ file: z.string(), bytes: count, at: time })),
    setAsideFiles: count,
    /** Deleted spaces whose files are still there. */
    pendingDeletions: count,
  }),
})
export type AdminOverview = z.output<typeof adminOverviewSchema>

export const adminUserSchema = z.object({
  id: userIdSchema,
  email: z.string(),
  name: z.string(),
  role: serverRoleSchema,
  createdAt: time,
  /** Sessions that have not ended. */
  sessions: count,
  /** When a session was renewed last; null without one. */
  lastUsedAt: time.nullable(),
  spaces: count,
})
export type AdminUser = z.output<typeof adminUserSchema>
export const adminUserListSchema = z.object({ users: z.array(adminUserSchema), next })

export const adminAuditEntrySchema = z.object({
  nr: count,
  at: time,
  /** Null for the operator's command. The name is null for an account that is gone, as below. */
  by: z.object({ id: userIdSchema, email: z.string().nullable() }).nullable(),
  action: z.string(),
  user: z.object({ id: userIdSchema, email: z.string().nullable() }).nullable(),
  space: z.object({ id: spaceIdSchema, name: z.string().nullable() }).nullable(),
  address: z.string().nullable(),
})
export type AdminAuditEntry = z.output<typeof adminAuditEntrySchema>
export const adminAuditListSchema = z.object({
  entries: z.array(adminAuditEntrySchema),
  /** All that there may be, to choose from. */
  actions: z.array(z.string()),
  next,
})

/** Lists are cut at 50 entries. */
export const adminUserDetailsSchema = adminUserSchema.extend({
  sessionList: z.array(
    z.object({ id: sessionIdSchema, device: z.string(), createdAt: time, lastUsedAt: time }),
  ),
  /** The oldest first. `lastUsedAt` is null for one that was never used. */
  passkeyList: z.array(z.object({ name: z.string(), createdAt: time, lastUsedAt: time.nullable() })),
  spaceList: z.array(
    z.object({
      id: spaceIdSchema,
      name: z.string(),
      role: roleNameSchema,
      /** Nobody else is in it: it is deleted with the account. */
      isAlone: z.boolean(),
    }),
  ),
})
export type AdminUserDetails = z.output<typeof adminUserDetailsSchema>

export const adminSpaceSchema = z.object({
  id: spaceIdSchema,
  name: z.string(),
  createdAt: time,
  members: count,
  /** The address of its longest-standing owner; null if it has none with an account. */
  owner: z.string().nullable(),
  bytes: count,
  /** When its file was written last; null without one. */
  lastWrittenAt: time.nullable(),
  /** Its file failed, and has not worked since. */
  isFailing: z.boolean(),
})
export type AdminSpace = z.output<typeof adminSpaceSchema>
export const adminSpaceListSchema = z.object({ spaces: z.array(adminSpaceSchema), next })
/** The list of members is cut at 50. */
export const adminSpaceDetailsSchema = adminSpaceSchema.extend({
  path: z.string(),
  memberList: z.array(
    z.object({ id: userIdSchema, email: z.string(), name: z.string(), role: roleNameSchema, joinedAt: time }),
  ),
})
export type AdminSpaceDetails = z.output<typeof adminSpaceDetailsSchema>

export const adminConnectionSchema = z.object({
  nr: count,
  user: z.object({ id: userIdSchema, email: z.string().nullable() }),
  device: z.string(),
  since: time,
  /** The spaces that it has joined. At most 20 are listed. */
  spaces: z.array(z.object({ id: spaceIdSchema, name: z.string().nullable() })),
  joined: count,
})
export type AdminConnection = z.output<typeof adminConnectionSchema>
export const adminConnectionListSchema = z.object({ connections: z.array(adminConnectionSchema), next })

export const adminInviteSchema = z.object({
  id: z.string(),
  createdAt: time,
  expiresAt: time,
  usedAt: time.nullable(),
})
export type AdminInvite = z.output<typeof adminInviteSchema>
export const adminInviteListSchema = z.object({ invites: z.array(adminInviteSchema), next })

/** A link that is shown once: an invite to the server, or to set a password. */
export const adminLinkSchema = z.object({ url: z.string(), expiresAt: time })
export type AdminLink = z.output<typeof adminLinkSchema>
