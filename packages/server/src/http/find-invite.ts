import type { FoundInvite } from '../platform/invites.ts'
import type { RouteDeps } from './route.ts'

/**
 * Finds an invite to a space, without using it. The log of the space is asked first: accounts that were restored from an
 * older copy do not know of a removal that withdrew the invite, and the log does. Throws as `Invites.find` does.
 */
export async function findInvite(
  { platform, access, now }: Pick<RouteDeps, 'platform' | 'access' | 'now'>,
  token: string,
): Promise<FoundInvite> {
  const { spaceId, createdBy } = platform.invites.find(token, now())
  await access.askLog(spaceId, createdBy)
  return platform.invites.find(token, now())
}
