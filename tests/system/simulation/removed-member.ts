import {
  decodeBatch,
  opKey,
  randomHexId,
  type SpaceId,
  type SpaceIdentity,
  type User,
  type UserId,
} from '@t69/protocol'
import type { GatewayConnection } from '@t69/server'

import type { Random } from '../../lib/random.ts'
import type { SimServer } from './server.ts'

/**
 * Somebody who was removed from the space, and wants to read what is written there since. Says whatever the protocol lets
 * them say, over a connection of their own that never fails: joins, shows old seals, registers the id of the space when the
 * server does not know it, invites its former members, removes members where they are an owner.
 */
export interface RemovedMember {
  readonly user: User
  /** How many operations they have been sent. */
  readonly heard: number
  /** How often they have registered a space under the id of the one that they were removed from. */
  readonly takeovers: number
  /** Does something at random. Returns a user whom they have invited, if that was it. */
  act(others: readonly UserId[]): UserId | undefined
}

export interface RemovedMemberOptions {
  readonly random: Random
  readonly server: SimServer
  readonly spaceId: SpaceId
  /** Called with the id of each operation that they are sent. */
  readonly onHeard: (id: string) => void
}

export function createRemovedMember({
  random,
  server,
  spaceId,
  onHeard,
}: RemovedMemberOptions): RemovedMember {
  const user: User = { id: 'e'.repeat(32) as UserId, email: 'eve@example.org', name: 'Eve' }
  const { accounts } = server
  const seals: string[] = []
  const identities: SpaceIdentity[] = []
  const report = { heard: 0, takeovers: 0 }
  let over: { gateway: SimServer['gateway']; connection: GatewayConnection } | null = null

  function hear(batch: Uint8Array): void {
    for (const op of decodeBatch(batch).ops) {
      report.heard++
      onHeard(opKey(op))
    }
  }

  /** The connection to the server as it runs now; null while it is down. */
  function connect(): GatewayConnection | null {
    const { gateway } = server
    if (gateway === null) return null
    if (over?.gateway === gateway) return over.connection
    const connection = gateway.connect(
      {
        id: randomHexId(),
        send(name, payload) {
          if (name === 'ops:appended' && 'batch' in payload) hear(new Uint8Array(payload.batch))
          if (name === 'space:sealed' && 'seal' in payload) seals.push(payload.seal)
        },
        disconnect: () => (over = null),
        takesCompressed: true,
        backlogBytes: () => 0,
      },
      server.verify(server.tokenFor(user.id)),
    )
    over = { gateway, connection }
    return connection
  }

  function join(connection: GatewayConnection): void {
    const identity = identities.length > 0 && random.chance(0.3) ? random.pick(identities) : undefined
    connection.request('space:join', { spaceId, ...(identity && { identity }) }, (ack) => {
      if (!ack.ok || !('role' in ack)) return
      identities.push(ack.identity)
      if (ack.seal !== undefined) seals.push(ack.seal.seal)
      pull(connection, 0)
    })
  }

  function pull(connection: GatewayConnection, after: number): void {
    connection.request('ops:pull', { spaceId, after }, (ack) => {
      if (!ack.ok || !('batch' in ack) || !('cursor' in ack)) return
      hear(new Uint8Array(ack.batch))
      if (ack.cursor > after) pull(connection, ack.cursor)
    })
  }

  function register(): void {
    const seal = seals.length > 0 && random.chance(0.5) ? random.pick(seals) : undefined
    const isNew = accounts.of(spaceId) === undefined && seal === undefined
    try {
      accounts.register({ id: spaceId, name: 'Mine', seal }, user.id)
      if (isNew) report.takeovers++
    } catch {
      // Refused.
    }
  }

  return {
    user,
    get heard() {
      return report.heard
    },
    get takeovers() {
      return report.takeovers
    },
    act(others) {
      const connection = connect()
      if (connection === null) return undefined
      const isOwner = accounts.roleOf(spaceId, user.id) === 'owner'
      const dice = random.next()
      if (dice < 0.5 || !isOwner) {
        if (dice < 0.3) register()
        join(connection)
      } else if (dice < 0.9) return random.pick(others)
      else accounts.remove(spaceId, random.pick(others))
      return undefined
    },
  }
}
