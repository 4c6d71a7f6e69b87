import { statSync } from 'node:fs'

import {
  randomHexId,
  registerBodySchema,
  type RegistrationMode,
  SyncError,
  type UserId,
  userIdSchema,
} from '@t69/protocol'

import { pathOfSpace } from '../logs/space-path.ts'
import type { AuditedAction, AuditEntry } from '../platform/audit.ts'
import type { SpaceEntry, UserEntry } from '../platform/directory.ts'
import type { Passwords } from '../platform/passwords.ts'
import type { Platform } from '../platform/platform.ts'
import type { SpaceDeletion } from '../platform/space-deletion.ts'
import type { Administrator } from '../ports/administration.ts'
import type { Logger } from '../ports/logger.ts'
import { serverVersion } from '../ports/version.ts'
import type { Admin, AdminAnswer } from './admin-calls.ts'
import { importSpace, inCopy } from './import-space.ts'

/** Audit entries that are shown of an account or a space. */
const shownEntries = 50

/** How the audit table says that somebody chose who may sign up. */
const chosenActions: Readonly<Record<RegistrationMode, AuditedAction>> = {
  open: 'registration open',
  invite: 'registration by invite',
  closed: 'registration closed',
}

export interface AdminDeps {
  readonly dataDir: string
  readonly platform: Platform
  readonly passwords: Pick<Passwords, 'hash'>
  /** Who may sign up by the setting. */
  readonly registrationSetting: RegistrationMode
  readonly spaceDeletion: SpaceDeletion
  /** Ends the sockets of sessions that have ended. */
  readonly reviewSessions: () => void
  /** Asks the logs of an account's spaces for members that the accounts have lost. Rejects if that is not possible. */
  readonly askLogsOf: (userId: UserId) => Promise<void>
  /** The server that runs; null where none does. */
  readonly running: () => AdminAnswer<'status'>['running']
  /** Unix milliseconds. */
  readonly now: () => number
  readonly logger: Logger
}

/**
 * What the operator may do, or `by`, who is an admin and asked over HTTP. Each change is noted in the audit table, and logged.
 */
export function createAdmin(deps: AdminDeps, by?: Administrator): Admin {
  const {
    dataDir,
    platform,
    passwords,
    registrationSetting: setting,
    spaceDeletion,
    askLogsOf,
    now,
    logger,
  } = deps
  const { directory, users, accounts, accessLists, members, sessions, serverInvites, spaceRecords, audit } =
    platform
  const choice = platform.registrationChoice

  function note(action: AuditedAction, about: Pick<AuditEntry, 'userId' | 'spaceId'> = {}): void {
    logger.info({ ...about, by: by?.actorId ?? 'command' }, action)
    try {
      audit.note({ at: now(), actorId: by?.actorId, action, ...about, address: by?.address })
    } catch (error) {
      // It is done, whatever becomes of the note.
      logger.error({ err: error, ...about, action }, 'what was done cannot be noted')
    }
  }

  function userOf(idOrEmail: string): UserEntry {
    const user = directory.user(idOrEmail, now())
    if (user === undefined) throw new SyncError('not_found', `there is no account ${idOrEmail}`)
    return user
  }

  function spaceOf(id: string): SpaceEntry {
    const space = directory.space(id)
    if (space === undefined) throw new SyncError('not_found', `there is no space ${id}`)
    return space
  }

  const sized = (space: SpaceEntry) => sizedSpace(dataDir, space)

  const entryOf = ({ at, actorId, action, userId, spaceId, address }: AuditEntry) => ({
    at,
    by: actorId === undefined ? actorlessName(address) : (users.byId(actorId)?.email ?? actorId),
    action,
    userId: userId ?? null,
    spaceId: spaceId ?? null,
    address: address ?? null,
  })

  function endSessionsOf(userId: UserId): { users: number; ended: number } {
    const ended = sessions.endAll(userId).length
    return { users: ended > 0 ? 1 : 0, ended }
  }

  function registration() {
    const chosen = choice.read()
    return { mode: chosen?.mode ?? setting, setting, chosenAt: chosen?.chosenAt ?? null }
  }

  return {
    status: async () => ({
      version: serverVersion,
      running: deps.running(),
      ...platform.counts(now()),
      admins: directory.admins(),
      pendingDeletions: spaceRecords.pendingDeletions().length,
    }),
    tidy: async () => {
      const over = () => {
        const { expiredSessions, expiredInvites } = platform.counts(now())
        return expiredSessions + expiredInvites
      }
      const before = over()
      platform.tidy(now())
      await spaceDeletion.finishAll()
      return { removed: before - over() }
    },
    'users list': async (page) => directory.users(page, now()),
    'users show': async ({ user }) => {
      const found = userOf(user)
      return {
        ...found,
        sessionList: directory.sessionsOf(found.id, now()),
        spaceList: directory.spacesOf(found.id),
        passkeyList: platform.passkeys
          .ofUser(found.id)
          .map(({ name, createdAt, lastUsedAt }) => ({ name, createdAt, lastUsedAt })),
        audit: audit.ofUser(found.id, shownEntries).map(entryOf),
      }
    },
    'users create': async (given) => {
      const { email, name, password } = parseAccount(given)
      const id = userIdSchema.parse(randomHexId())
      accounts.add({ id, email, name, passwordHash: await passwords.hash(password) }, now())
      note('account created', { userId: id })
      return userOf(id)
    },
    'users invite': async () => {
      const invite = serverInvites.add(now())
      note('invite to the server made')
      return invite
    },
    'users set-role': async ({ user, role }) => {
      const { id } = userOf(user)
      const isLast = role === 'member' && userOf(id).role === 'admin' && directory.admins() === 1
      if (isLast) {
        const message = 'this is the last admin: make somebody else one first'
        throw new SyncError('forbidden', message, { reason: 'last_admin' })
      }
      const isChanged = directory.setRole(id, role)
      if (isChanged) note(role === 'admin' ? 'made an admin' : 'made a member', { userId: id })
      return { ...userOf(id), isChanged }
    },
    'users password-link': async ({ user, byMail }) => {
      const found = userOf(user)
      const { passwordLinks } = platform
      const link = byMail ? passwordLinks.addMailed(found.id, now()) : passwordLinks.add(found.id, now())
      note('link to set a password made', { userId: found.id })
      return { ...found, ...link }
    },
    'users reset-password': async ({ user, password }) => {
      const { id, email, name } = userOf(user)
      parseAccount({ email, name, password })
      const ended = accounts.resetPassword(id, await passwords.hash(password), now())
      if (ended === undefined) throw new SyncError('not_found', 'the account was deleted meanwhile')
      deps.reviewSessions()
      note('password reset', { userId: id })
      return { ...userOf(id), ended: ended.length }
    },
    'users sign-out': async ({ user }) => {
      const userId = user === undefined ? undefined : userOf(user).id
      const done = userId === undefined ? sessions.endEverybodys() : endSessionsOf(userId)
      deps.reviewSessions()
      note('signed out everywhere', { userId })
      return done
    },
    'users delete': async ({ user, dryRun }) => {
      await askLogsOf(userOf(user).id)
      // Which took a while.
      if (by !== undefined && platform.adminPages.roleOf(by.actorId) !== 'admin') {
        throw new SyncError('forbidden', 'This takes an admin of the server', { reason: 'not_admin' })
      }
      const found = userOf(user)
      const alone = accounts.aloneOf(found.id)
      const deletedSpaces = directory
        .spacesOf(found.id)
        .flatMap(({ id, name }) => (alone.includes(id) ? [{ id, name }] : []))
      if (!dryRun) {
        const { sessionIds, spaceIds } = accounts.delete(found.id, now())
        if (sessionIds.length > 0) deps.reviewSessions()
        note('account deleted', { userId: found.id })
        for (const spaceId of spaceIds) note('space deleted', { spaceId })
        accessLists.announce()
        for (const id of spaceIds) await spaceDeletion.clear(id)
      }
      return { ...found, deletedSpaces }
    },
    'registration show': async () => ({
      ...registration(),
      audit: audit.ofServer(shownEntries).map(entryOf),
    }),
    'registration choose': async ({ mode }) => {
      if ((choice.read()?.mode ?? null) === mode) return registration()
      if (mode === null) choice.takeBack()
      else choice.choose(mode, now())
      note(mode === null ? 'registration by the setting' : chosenActions[mode])
      return registration()
    },
    'spaces list': async (page) => {
      const { total, spaces } = directory.spaces(page)
      return { total, spaces: spaces.map(sized) }
    },
    'spaces show': async ({ space }) => {
      const found = spaceOf(space)
      return {
        ...sized(found),
        path: pathOfSpace(dataDir, found.id),
        memberList: members.list(found.id).map(({ user, role, joinedAt }) => ({
          id: user.id,
          email: user.email,
          name: user.name,
          role,
          joinedAt,
        })),
        audit: audit.ofSpace(found.id, shownEntries).map(entryOf),
      }
    },
    'spaces export': async ({ space }) => {
      const { id, name } = spaceOf(space)
      const list = inCopy(accessLists.list(id))
      note('space exported', { spaceId: id })
      return { space: { name, list }, path: pathOfSpace(dataDir, id) }
    },
    'spaces import': async ({ owner, ...given }) => {
      const user = owner === undefined ? undefined : userOf(owner)
      const imported = importSpace({ dataDir, platform, now: now() }, { ...given, owner: user })
      if (!given.dryRun) note('space imported', { spaceId: imported.id })
      return imported
    },
    'spaces delete': async ({ space, dryRun }) => {
      const found = sized(spaceOf(space))
      if (dryRun) return found
      const deleted = spaceDeletion.delete(found.id, now())
      note('space deleted', { spaceId: found.id })
      await deleted
      return found
    },
  }
}

/** Who did what no account did. Only requests have an address. */
const actorlessName = (address: string | undefined): string =>
  address === undefined ? 'command' : 'nobody signed in'

/** A space with the size of its file, and when that was written last: null without one. */
export function sizedSpace<Space extends SpaceEntry>(dataDir: string, space: Space) {
  const path = pathOfSpace(dataDir, space.id)
  const files = [path, `${path}-wal`].flatMap((of) => statSync(of, { throwIfNoEntry: false }) ?? [])
  return {
    ...space,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    lastWrittenAt: files.length === 0 ? null : Math.round(Math.max(...files.map(({ mtimeMs }) => mtimeMs))),
  }
}

/** Checks an account like the form of sign-up. Throws `invalid_request`, which says what is wrong. */
function parseAccount(given: { readonly email: string; readonly name: string; readonly password: string }) {
  const parsed = registerBodySchema.safeParse(given)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const at = String(issue?.path[0] ?? 'account')
  throw new SyncError('invalid_request', `${at}: ${issue?.message ?? 'is wrong'}`, { at })
}
