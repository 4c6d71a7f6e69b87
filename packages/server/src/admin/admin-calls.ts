import {
  accessIdSchema,
  registrationModeSchema,
  renameSpaceBodySchema,
  roleNameSchema,
  spaceIdentitySchema,
  spaceIdSchema,
  userIdSchema,
} from '@t69/protocol'
import { z } from 'zod'

import { stagedName } from './staged-file.ts'

/**
 * What the operator's command asks of a server, and what that answers. A running server answers through a socket in its
 * directory, for a stopped one the command itself does. Times are Unix milliseconds, sizes are bytes.
 */

const count = z.int().min(0)
const time = z.number()

/** Entries that a list has at most. */
export const maxListed = 1_000

const pageSchema = z.object({
  search: z.string().default(''),
  limit: z.int().min(1).max(maxListed).default(50),
  offset: count.default(0),
})

const userEntrySchema = z.object({
  id: userIdSchema,
  email: z.string(),
  name: z.string(),
  role: z.enum(['admin', 'member']),
  createdAt: time,
  sessions: count,
  lastUsedAt: time.nullable(),
  spaces: count,
})

const auditEntrySchema = z.object({
  at: time,
  /** The address of who did it, or their id if the account is gone; `command` for the operator's command. */
  by: z.string(),
  action: z.string(),
  userId: userIdSchema.nullable(),
  spaceId: spaceIdSchema.nullable(),
  address: z.string().nullable(),
})

const userDetailsSchema = userEntrySchema.extend({
  sessionList: z.array(
    z.object({ id: z.string(), device: z.string(), createdAt: time, lastUsedAt: time, expiresAt: time }),
  ),
  spaceList: z.array(z.object({ id: spaceIdSchema, name: z.string(), role: roleNameSchema })),
  passkeyList: z.array(z.object({ name: z.string(), createdAt: time, lastUsedAt: time.nullable() })),
  audit: z.array(auditEntrySchema),
})

const spaceEntrySchema = z.object({
  id: spaceIdSchema,
  name: z.string(),
  createdAt: time,
  members: count,
  owner: z.string().nullable(),
  bytes: count,
  /** When its file was written last; null without one. */
  lastWrittenAt: time.nullable(),
})

const spaceDetailsSchema = spaceEntrySchema.extend({
  path: z.string(),
  memberList: z.array(
    z.object({
      id: userIdSchema,
      email: z.string(),
      name: z.string(),
      role: roleNameSchema,
      joinedAt: time,
    }),
  ),
  audit: z.array(auditEntrySchema),
})

/** What is known of a space beside its log: its name, and who is and was in it, as `AccessList` has it. */
export const spaceInCopySchema = z.object({
  name: renameSpaceBodySchema.shape.name,
  list: z.object({
    spaceId: spaceIdSchema,
    identity: spaceIdentitySchema,
    createdAt: time,
    accessId: accessIdSchema,
    accessIds: z.array(accessIdSchema),
    entries: z.array(
      z.object({
        userId: userIdSchema,
        /** Null for a member who was removed. */
        role: roleNameSchema.nullable(),
        since: accessIdSchema,
        joinedAt: time,
        email: z.string(),
        name: z.string(),
      }),
    ),
  }),
})

const importedMember = z.object({
  id: userIdSchema,
  email: z.string(),
  name: z.string(),
  role: roleNameSchema.nullable(),
})

const statusSchema = z.object({
  version: z.string(),
  /** Of the running server; null for a stopped one. */
  running: z.object({ pid: count, startedAt: time, connections: count, openSpaces: count }).nullable(),
  users: count,
  admins: count,
  spaces: count,
  sessions: count,
  expiredSessions: count,
  expiredInvites: count,
  /** Deleted spaces whose files are still there. */
  pendingDeletions: count,
})

const registrationSchema = z.object({
  /** Who may sign up now. */
  mode: registrationModeSchema,
  /** What the server's setting says. */
  setting: registrationModeSchema,
  /** When a command chose the mode; null while the setting counts. */
  chosenAt: time.nullable(),
})

/** An account, by id or e-mail address. */
const ofUser = z.object({ user: z.string() })
const ofSpace = z.object({ space: z.string() })

export const adminCalls = {
  status: { given: z.object({}), answer: statusSchema },
  tidy: { given: z.object({}), answer: z.object({ removed: count }) },
  'users list': {
    given: pageSchema,
    answer: z.object({ total: count, users: z.array(userEntrySchema) }),
  },
  'users show': { given: ofUser, answer: userDetailsSchema },
  'users create': {
    given: z.object({ email: z.string(), name: z.string(), password: z.string() }),
    answer: userEntrySchema,
  },
  'users invite': { given: z.object({}), answer: z.object({ token: z.string(), expiresAt: time }) },
  'users set-role': {
    given: ofUser.extend({ role: z.enum(['admin', 'member']) }),
    answer: userEntrySchema.extend({ isChanged: z.boolean() }),
  },
  /** A link by which the account's owner sets another password. Nothing has changed until then. */
  'users password-link': {
    given: ofUser.extend({
      /** Whether whoever asks sends it to the account's address. */
      byMail: z.boolean().default(false),
    }),
    answer: userEntrySchema.extend({ token: z.string(), expiresAt: time }),
  },
  'users reset-password': {
    given: ofUser.extend({ password: z.string() }),
    answer: userEntrySchema.extend({ ended: count }),
  },
  /** Without a user, everybody. */
  'users sign-out': { given: ofUser.partial(), answer: z.object({ users: count, ended: count }) },
  'users delete': {
    given: ofUser.extend({ dryRun: z.boolean() }),
    answer: userEntrySchema.extend({
      /** Spaces of this account alone, which are deleted with it. */
      deletedSpaces: z.array(z.object({ id: spaceIdSchema, name: z.string() })),
    }),
  },
  'registration show': {
    given: z.object({}),
    answer: registrationSchema.extend({ audit: z.array(auditEntrySchema) }),
  },
  /** Null for what the setting says. */
  'registration choose': {
    given: z.object({ mode: registrationModeSchema.nullable() }),
    answer: registrationSchema,
  },
  'spaces list': {
    given: pageSchema,
    answer: z.object({ total: count, spaces: z.array(spaceEntrySchema) }),
  },
  'spaces show': { given: ofSpace, answer: spaceDetailsSchema },
  /** What belongs to a copy beside the file at `path`, which whoever asks reads. */
  'spaces export': { given: ofSpace, answer: z.object({ space: spaceInCopySchema, path: z.string() }) },
  /** Takes over a file that is in the data directory already, and that whoever asks has read and found sound. */
  'spaces import': {
    given: z.object({
      staged: z.string().regex(stagedName),
      space: spaceInCopySchema,
      /** Whether members become the accounts that have their addresses here. */
      byEmail: z.boolean(),
      /** An account that becomes an owner. */
      owner: z.string().optional(),
      dryRun: z.boolean(),
    }),
    answer: z.object({
      id: spaceIdSchema,
      name: z.string(),
      members: z.array(importedMember),
      /** Members who have no account here. */
      absent: z.array(importedMember),
    }),
  },
  'spaces delete': { given: ofSpace.extend({ dryRun: z.boolean() }), answer: spaceEntrySchema },
} as const

export type AdminCall = keyof typeof adminCalls

export type AdminGiven<Name extends AdminCall> = z.output<(typeof adminCalls)[Name]['given']>
export type AdminAnswer<Name extends AdminCall> = z.output<(typeof adminCalls)[Name]['answer']>

/** Answers the calls. Rejects with `SyncError` for what cannot be done. */
export type Admin = {
  readonly [Name in AdminCall]: (given: AdminGiven<Name>) => Promise<AdminAnswer<Name>>
}
