import { accountStateSchema, SyncError, type User, type UserId } from '@t69/protocol'

import type { Account, HttpCall } from '../account/index.ts'
import type { LostAccount } from '../api.ts'
import { localUri, unsynced, type ClientStorage, type StoredSpace } from '../storage/index.ts'
import type { Tell } from '../tabs/index.ts'

/** The spaces that this device keeps for accounts that the server has lost, and a way to them. */
export interface LostAccounts {
  list(): Promise<LostAccount[]>
  /** See `SyncClient.takeOver`. What a page that was closed meanwhile has left is taken over by the next call. */
  takeOver(userId: UserId): Promise<void>
}

export interface LostAccountsDeps {
  /** The server's normal address: see `parseServerUrl`. */
  readonly server: string
  readonly storage: ClientStorage
  readonly account: Account
  readonly tell: Tell
}

export function createLostAccounts({ server, storage, account, tell }: LostAccountsDeps): LostAccounts {
  const spacesOf = async (userId: UserId): Promise<StoredSpace[]> =>
    (await storage.listSpaces()).filter((space) => account.isOf(space, userId))

  async function list(): Promise<LostAccount[]> {
    const lost: LostAccount[] = []
    for (const { user, seal } of await account.formerAccounts()) {
      const spaces = await spacesOf(user.id)
      if (spaces.length === 0) continue
      const call: HttpCall = { method: 'POST', path: `/api/accounts/${user.id}`, body: { seal } }
      const { state } = await account.call(call, accountStateSchema)
      // This device remembers that: the server may lose its note of the deletion as well.
      if (state === 'deleted') await account.forgetFormer(user.id)
      if (state === 'lost')
        lost.push({ user, spaces: spaces.map(({ id, name }) => ({ id, name: name ?? '' })) })
    }
    return lost
  }

  function requireUser(user: User | null): asserts user is User {
    if (user !== null && account.user?.id === user.id) return
    throw new SyncError('unauthenticated', 'Sign in to take over the spaces of an earlier account')
  }

  return {
    list,
    async takeOver(userId) {
      const { user } = account
      requireUser(user)
      if (!(await list()).some((lost) => lost.user.id === userId)) {
        throw new SyncError('forbidden', 'This device keeps no spaces of a lost account with your address', {
          reason: 'nothing_to_decide',
        })
      }
      for (const space of await spacesOf(userId)) {
        requireUser(user)
        // To the server it is a space that was only ever here. Its owner last: until then it is found again.
        await storage.putSeal(space.id, null)
        await storage.putSyncState(space.id, unsynced)
        await storage.putSpace({ ...space, uri: localUri(space.id), userId: user.id, server })
      }
      await account.forgetFormer(userId)
      tell({ type: 'spaces-changed' })
    },
  }
}
