import { statfs } from 'node:fs/promises'
import { relative } from 'node:path'

import {
  type AdminAuditEntry,
  type AdminPageQuery,
  maxAdminEntries,
  sessionIdSchema,
  type SpaceId,
  SyncError,
  type UserId,
} from '@t69/protocol'

import type { AuditRow } from '../platform/admin-pages.ts'
import { auditedActions } from '../platform/audit.ts'
import type { DataFiles } from '../platform/data-files.ts'
import type { Administration, Administrator } from '../ports/administration.ts'
import { serverVersion } from '../ports/version.ts'
import { createAdmin, type AdminDeps, sizedSpace } from './create-admin.ts'

/** Joined spaces that are listed of a connection. */
const shownJoined = 20

export interface AdministrationDeps extends AdminDeps {
  /** Of the server that runs. Times are Unix milliseconds. */
  readonly live: {
    readonly startedAt: number
    readonly openSpaces: () => number
    readonly connections: () => number
    /** The sockets with numbers below `before`, the newest first. */
    readonly sockets: (page: { readonly before: number; readonly limit: number }) => readonly {
      readonly nr: number
      readonly userId: UserId
      readonly sessionId: string
      readonly since: number
      readonly joined: readonly SpaceId[]
    }[]
    /** Spaces whose file failed and has not worked since, with when it did: the newest failure last. */
    readonly failing: ReadonlyMap<SpaceId, number>
    readonly files: () => Pick<DataFiles, 'setAside'>
    /** How long the event loop was held up of late, in ms. */
    readonly heldUpMs: () => number
  }
}

/** Administration over what the operator's commands do, and over pages of the accounts. */
export function createAdministration(deps: AdministrationDeps): Administration {
  const { dataDir, platform, live, now, logger } = deps
  const { adminPages: pages, accounts, serverInvites } = platform
  const operator = createAdmin(deps)
  const adminBy = (by: Administrator) => createAdmin(deps, by)

  const isAdmin = (userId: UserId): boolean => pages.roleOf(userId) === 'admin'
  const spaceNamed = (id: SpaceId) => ({ id, name: pages.spaceName(id) ?? null })
  const userNamed = (id: UserId) => ({ id, email: pages.emailOf(id) ?? null })
  const withTrouble = <Space extends { readonly id: SpaceId }>(space: Space) => ({
    ...space,
    isFailing: live.failing.has(space.id),
  })

  const entryOf = ({ actorId, userId, spaceId, ...entry }: AuditRow): AdminAuditEntry => ({
    ...entry,
    by: actorId === null ? null : userNamed(actorId),
    user: userId === null ? null : userNamed(userId),
    space: spaceId === null ? null : spaceNamed(spaceId),
  })

  /** The spaces that are deleted with an account. None where it must not be deleted: trying to says why. */
  function aloneOf(userId: UserId): SpaceId[] {
    try {
      return accounts.aloneOf(userId)
    } catch (error) {
      if (error instanceof SyncError) return []
      throw error
    }
  }

  function sockets({ after = Number.MAX_SAFE_INTEGER, limit }: AdminPageQuery) {
    const found = live.sockets({ before: after, limit: limit + 1 })
    const connections = found.slice(0, limit).map(({ nr, userId, sessionId, since, joined }) => ({
      nr,
      user: userNamed(userId),
      device: pages.deviceOf(sessionId) ?? '',
      since,
      spaces: joined.slice(0, shownJoined).map(spaceNamed),
      joined: joined.length,
    }))
    const last = connections.at(-1)
    return found.length > limit && last !== undefined ? { connections, next: last.nr } : { connections }
  }

  return {
    isAdmin,
    overview: async () => {
      const { users, admins, spaces, sessions, pendingDeletions } = await operator.status({})
      const { mode, setting, chosenAt } = await operator['registration show']({})
      const { bavail, blocks, bsize } = await statfs(dataDir)
      const { setAside } = live.files()
      return {
        version: serverVersion,
        startedAt: live.startedAt,
        registration: { mode, setting, chosenAt },
        users,
        admins,
        spaces,
        sessions,
        connections: live.connections(),
        openSpaces: live.openSpaces(),
        disk: { freeBytes: bavail * bsize, bytes: blocks * bsize },
        heldUpMs: live.heldUpMs(),
        trouble: {
          failing: [...live.failing]
            .slice(-maxAdminEntries)
            .toReversed()
            .map(([id, at]) => ({ ...spaceNamed(id), at })),
          setAside: setAside
            .slice(-maxAdminEntries)
            .toReversed()
            .map(({ path, bytes, setAsideAt }) => ({ file: relative(dataDir, path), bytes, at: setAsideAt })),
          setAsideFiles: setAside.length,
          pendingDeletions,
        },
      }
    },
    users: async (page) => {
      const { rows, ...rest } = pages.users(page, now())
      return { users: [...rows], ...rest }
    },
    user: async (userId) => {
      const { sessionList, spaceList, passkeyList, ...user } = await operator['users show']({ user: userId })
      const alone = new Set(aloneOf(userId))
      return {
        ...user,
        sessionList: sessionList
          .slice(0, maxAdminEntries)
          .map(({ id, ...session }) => ({ ...session, id: sessionIdSchema.parse(id) })),
        passkeyList: passkeyList.slice(0, maxAdminEntries),
        spaceList: spaceList
          .slice(0, maxAdminEntries)
          .map((space) => ({ ...space, isAlone: alone.has(space.id) })),
      }
    },
    spaces: async (page) => {
      const { rows, ...rest } = pages.spaces(page)
      return { spaces: rows.map((space) => withTrouble(sizedSpace(dataDir, space))), ...rest }
    },
    space: async (spaceId) => {
      const space = await operator['spaces show']({ space: spaceId })
      return { ...withTrouble(space), memberList: space.memberList.slice(0, maxAdminEntries) }
    },
    connections: async (page) => sockets(page),
    audit: async ({ user, space, ...page }) => {
      const of = user !== undefined ? { userId: user } : space !== undefined ? { spaceId: space } : undefined
      const { rows, ...rest } = pages.audit(page, of)
      return { entries: rows.map(entryOf), actions: [...auditedActions], ...rest }
    },
    invites: async (page) => {
      const { rows, ...rest } = pages.serverInvites(page)
      return { invites: [...rows], ...rest }
    },
    chooseRegistration: (by, mode) => adminBy(by)['registration choose']({ mode }),
    setRole: (by, user, role) => adminBy(by)['users set-role']({ user, role }),
    passwordLink: (by, user) => adminBy(by)['users password-link']({ user, byMail: false }),
    signOut: async (by, user) => void (await adminBy(by)['users sign-out']({ user })),
    deleteUser: async (by, user) => {
      // So at least one admin is left.
      if (user === by.actorId) {
        const message = 'Your own account is deleted in the menu of your account'
        throw new SyncError('forbidden', message, { reason: 'own_account' })
      }
      try {
        await adminBy(by)['users delete']({ user, dryRun: false })
      } catch (error) {
        const isLastOwner = error instanceof SyncError && error.body.reason === 'last_owner'
        if (!isLastOwner) throw error
        // It is written for the account's owner.
        const message =
          'This account is the last owner of a space that others are in: have somebody else made an owner, or delete the space, first'
        throw new SyncError('forbidden', message, { reason: 'last_owner' })
      }
    },
    deleteSpace: async (by, space) => void (await adminBy(by)['spaces delete']({ space, dryRun: false })),
    makeInvite: (by) => adminBy(by)['users invite']({}),
    withdrawInvite: async (by, id) => {
      if (!serverInvites.revoke(id, now())) {
        throw new SyncError('not_found', 'This invite was used, is too old, or was withdrawn')
      }
      const action = 'invite to the server withdrawn'
      logger.info({ by: by.actorId }, action)
      try {
        platform.audit.note({ at: now(), actorId: by.actorId, address: by.address, action })
      } catch (error) {
        // It is done, whatever becomes of the note.
        logger.error({ err: error, action }, 'what was done cannot be noted')
      }
    },
  }
}
