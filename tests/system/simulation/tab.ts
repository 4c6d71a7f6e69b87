import { opKey, type SpaceId, type TreeId, type User } from '@t69/protocol'
import { toTreeOperation, type Replica } from '@t69/replica'
import {
  createSyncClient,
  type ClientStorage,
  type Runtime,
  type Space,
  type SyncClient,
  type Tabs,
} from '@t69/sync-client'

import type { Random } from '../../lib/random.ts'
import { createDisk, type DiskFaults } from './disk.ts'
import { createSimFetch } from './http.ts'
import type { Network } from './network.ts'
import type { SimServer } from './server.ts'
import type { VirtualTime } from './time.ts'

/** A tab of a device, until it crashes. */
export interface Tab {
  /** Null while the tab does not have the space open. */
  readonly space: Space | null
  readonly trees: readonly Replica[]
  open(): Promise<void>
  close(): Promise<void>
  /** Ends the tab or its process at any point. */
  crash(): void
  /** Stops the tab, with its locks held, until `thaw`. Then it gets everything that it missed. */
  freeze(): void
  thaw(): void
  /** Follows an invite link to whatever space has the id now. */
  acceptInvite(): Promise<void>
  /** Makes a random edit in a random tree. */
  edit(): void
}

export interface TabOptions {
  readonly user: User
  readonly time: VirtualTime
  readonly random: Random
  readonly server: SimServer
  readonly spaceId: SpaceId
  readonly chatId: TreeId
  readonly network: Network
  readonly storage: ClientStorage
  readonly tabs: Tabs
  readonly diskFaults: () => DiskFaults
  /** How far the device's clock is ahead, in ms. */
  readonly skewMs: () => number
  /** Called when an edit is stored: from then on it must never be lost. */
  readonly onKept: (id: string) => void
  /** Called when an edit is made. */
  readonly onWritten: (id: string) => void
}

export async function startTab(options: TabOptions): Promise<Tab> {
  const { user, time, random, server, spaceId, chatId, network, tabs } = options
  let alive = true
  const gone = Promise.withResolvers<never>()
  gone.promise.catch(() => {})
  /** The events that came while the tab was frozen. */
  let missed: (() => void)[] | null = null
  const hand = (task: () => void): void => {
    if (missed !== null) missed.push(task)
    else if (alive) task()
  }
  const handed = <T>(promise: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      promise.then(
        (value) => hand(() => resolve(value)),
        (error: unknown) => hand(() => reject(error)),
      )
    })
  const connections = new Set<() => void>()
  const runtime: Runtime = {
    now: () => time.now() + options.skewMs(),
    random: () => random.next(),
    setTimer(callback, delayMs) {
      let isCancelled = false
      const cancel = time.setTimer(() => hand(() => void (isCancelled || callback())), delayMs)
      return () => {
        isCancelled = true
        cancel()
      }
    },
  }
  const fetchIt = createSimFetch(user, server, network, time)
  const client: SyncClient = createSyncClient({
    url: 'http://simulated.example',
    storage: createDisk(options.storage, {
      time,
      random,
      faults: options.diskFaults,
      isAlive: () => alive,
      hand,
    }),
    session: 'storage',
    tabs: {
      ...tabs,
      // The spread copies only its present value.
      get alone() {
        return tabs.alone
      },
      lead: (onLead, onLost) =>
        tabs.lead(
          () => hand(onLead),
          () => hand(onLost),
        ),
      onMessage: (listener) => tabs.onMessage((message) => hand(() => listener(message))),
      watch: (id, onGone) => tabs.watch(id, () => hand(onGone)),
      // The lock of a closed tab is released.
      exclusive: (task) => handed(tabs.exclusive(() => Promise.race([task(), gone.promise]))),
    },
    transport: {
      connect(handshake, listener) {
        const connection = network.connect(handshake, {
          opened: () => hand(() => listener.opened()),
          notified: (event, payload) => hand(() => listener.notified(event, payload)),
          closed: (error) => hand(() => listener.closed(error)),
        })
        connections.add(() => connection.close())
        return {
          request: (name, payload, answered) =>
            connection.request(name, payload, (ack) => hand(() => answered(ack))),
          signal: (name, payload) => connection.signal(name, payload),
          close: () => connection.close(),
        }
      },
    },
    fetch: (...args) => handed(fetchIt(...args)),
    runtime,
  })
  let space: Space | null = null
  const trees = new Map<TreeId, Replica>()

  function watch(here: Space, tree: Replica): void {
    const treeId = here.treeIdOf(tree)
    trees.set(treeId, tree)
    tree.onLocalOp((op) => {
      if ('transient' in op && op.transient) return
      const id = opKey(toTreeOperation(op, { spaceId, treeId }))
      options.onWritten(id)
      // Rejects if the tab dies before its disk has the edit, which nobody was promised then.
      void here.stored().then(
        () => options.onKept(id),
        () => {},
      )
    })
  }

  const tab: Tab = {
    get space() {
      return space
    },
    get trees() {
      return [...trees.values()]
    },
    async open() {
      if (space !== null) return
      const opened = await client.openSpace(spaceId)
      watch(opened, opened.root)
      watch(opened, await opened.openTree(chatId))
      opened.onReplaced((treeId) => void opened.openTree(treeId).then((tree) => watch(opened, tree)))
      space = opened
    },
    async close() {
      const closing = space
      space = null
      trees.clear()
      // A failed write stores nothing, and is reported.
      await closing?.close().catch(() => {})
    },
    crash() {
      alive = false
      gone.reject(new Error('the tab is gone'))
      missed = null
      space = null
      trees.clear()
      tabs.close()
      for (const close of connections) close()
    },
    freeze() {
      missed ??= []
    },
    thaw() {
      const tasks = missed ?? []
      missed = null
      for (const task of tasks) hand(task)
    },
    async acceptInvite() {
      // Refused, or a space in the place of which this device has another one.
      await client.acceptInvite(spaceId).catch(() => {})
    },
    edit() {
      if (trees.size === 0 || missed !== null) return
      editAtRandom(random.pick([...trees.values()]), random)
    },
  }
  try {
    await client.ready
    if (client.user === null) await client.signIn({ email: user.email, password: 'not checked here' })
    await tab.open()
  } catch (error) {
    tab.crash()
    throw error
  }
  return tab
}

function editAtRandom(tree: Replica, random: Random): void {
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
}
