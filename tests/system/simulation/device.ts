import { opKey, type SpaceId, type TreeId, type User, type UserId } from '@t69/protocol'
import { toTreeOperation, type Replica } from '@t69/replica'
import { createSyncClient, memoryStorage, type Runtime, type Space, type SyncClient } from '@t69/sync-client'

import type { Random } from '../../lib/random.ts'
import { createSimFetch } from './http.ts'
import { createNetwork, type Network } from './network.ts'
import type { SimServer } from './server.ts'
import type { VirtualTime } from './time.ts'

/** One person's device: a client whose storage outlives reloads and crashes. */
export interface Device {
  readonly name: string
  readonly user: User
  readonly network: Network
  /** Null between a crash and the next start. */
  readonly running: {
    readonly client: SyncClient
    readonly space: Space
    readonly trees: readonly Replica[]
  } | null
  /** Ids of edits that were in the device's storage when last looked: they may never be lost. */
  readonly kept: ReadonlySet<string>
  start(): Promise<void>
  /** The tab or the process is gone in the midst of things. */
  crash(): void
  /** Makes a random edit in a random tree. */
  edit(): void
  /** Has a replica show what is in no log, as a bug of its own would. */
  damageReplica(): void
  /** Changes the value of a stored operation, as a bad disk would. */
  damageStorage(): Promise<void>
}

export interface DeviceOptions {
  readonly name: string
  readonly time: VirtualTime
  readonly random: Random
  readonly server: SimServer
  readonly spaceId: SpaceId
  readonly chatId: TreeId
}

export function createDevice({ name, time, random, server, spaceId, chatId }: DeviceOptions): Device {
  const user: User = { id: name.padStart(32, '0') as UserId, email: `${name}@example.org`, name }
  const storage = memoryStorage()
  const kept = new Set<string>()
  const network = createNetwork(time, random, server)
  let running: Device['running'] = null
  let stopTimers = (): void => {}

  return {
    name,
    user,
    network,
    kept,
    get running() {
      return running
    },

    start: async () => {
      let alive = true
      stopTimers = () => (alive = false)
      const runtime: Runtime = {
        now: () => time.now(),
        random: () => random.next(),
        setTimer: (callback, delayMs) => time.setTimer(() => alive && callback(), delayMs),
      }
      const client = createSyncClient({
        url: 'http://simulated.example',
        storage,
        session: 'storage',
        // A crashed device must not go on over the network either.
        transport: {
          connect: (handshake, listener) =>
            network.connect(handshake, {
              opened: () => alive && listener.opened(),
              notified: (event, payload) => alive && listener.notified(event, payload),
              closed: (error) => alive && listener.closed(error),
            }),
        },
        fetch: createSimFetch(user, server, network, time),
        runtime,
      })
      await client.ready
      if (client.user === null) await client.signIn({ email: user.email, password: 'not checked here' })
      const space = await client.openSpace(spaceId)
      const trees = new Map<TreeId, Replica>()
      const watch = (tree: Replica): void => {
        const treeId = space.treeIdOf(tree)
        trees.set(treeId, tree)
        tree.onLocalOp((op) => {
          if ('transient' in op && op.transient) return
          const id = opKey(toTreeOperation(op, { spaceId, treeId }))
          void space.stored().then(() => alive && kept.add(id))
        })
      }
      watch(space.root)
      watch(await space.openTree(chatId))
      space.onReplaced((treeId) => void space.openTree(treeId).then(watch))
      if (!alive) return
      running = {
        client,
        space,
        get trees() {
          return [...trees.values()]
        },
      }
    },

    crash: () => {
      running = null
      stopTimers()
      network.cut()
    },

    damageReplica: () => {
      const tree = running?.trees[0]
      if (tree?.root === undefined) throw new Error('no replica is there to be broken')
      const id = { peerId: '7'.repeat(30), counter: 1 }
      tree.merge([{ id, targetId: tree.root.id, key: 'broken', value: true, transient: false }])
    },

    damageStorage: async () => {
      const state = await storage.getSyncState(spaceId)
      const ops = await storage.readTree(spaceId, chatId)
      const op = ops.find(({ key, clock }) => key !== undefined && clock > 0)
      if (state === undefined || op === undefined) throw new Error('nothing is stored that could be broken')
      await storage.appendRemote(spaceId, [Object.assign({}, op, { value: 'broken' })], state)
    },

    edit: () => {
      if (running === null) return
      const tree = random.pick(running.trees)
      const vertices = tree.getAllVertices().filter((vertex) => vertex.id !== '0')
      if (vertices.length === 0) return
      const vertex = random.pick(vertices)
      const isRoot = vertex.id === tree.root?.id
      switch (random.below(isRoot ? 2 : 5)) {
        case 0:
          vertex.newNamedChild(`v${random.below(1000)}`, { n: random.below(1000) })
          return
        case 1:
          vertex.setProperty(
            random.pick(['a', 'b', 'c']),
            random.pick([random.below(1000), null, 'text', [1, { x: 2 }]]),
          )
          return
        case 2: {
          const parent = random.pick(vertices)
          if (parent.id !== vertex.id && !tree.isAncestor(parent.id, vertex.id)) vertex.moveTo(parent)
          return
        }
        case 3:
          vertex.setProperty(random.pick(['a', 'b', 'c']), undefined)
          return
        default:
          if (random.chance(0.3)) vertex.delete()
      }
    },
  }
}
