import type { SpaceId, TreeId, User, UserId } from '@t69/protocol'
import {
  createTabGroup,
  memoryStorage,
  soloTabs,
  type PendingCounts,
  type SpaceProof,
  type SyncState,
} from '@t69/sync-client'

import type { Random } from '../../lib/random.ts'
import { goodDisk, type DiskFaults } from './disk.ts'
import { createNetwork, type Network } from './network.ts'
import type { SimServer } from './server.ts'
import { startTab, type Tab } from './tab.ts'
import type { VirtualTime } from './time.ts'

/** A person's device: tabs over one storage, which survives their reloads and crashes. */
export interface Device {
  readonly name: string
  readonly user: User
  readonly network: Network
  disk: DiskFaults
  /** How far its clock is ahead, in ms. */
  skewMs: number
  readonly tabs: readonly Tab[]
  /** The ids of edits that were in the device's storage at the last look. They must never be lost. */
  readonly kept: ReadonlySet<string>
  /** Called with the id of each edit when it is made. */
  onWritten: (id: string) => void
  /** Leaves the stored state as a release that knew no identities would. */
  forgetIdentity(): Promise<void>
  /** Opens another tab. Returns false if the disk prevents it. */
  start(): Promise<boolean>
  crash(tab: Tab): void
  /** Makes a replica show a change that is in no log, as a bug in it would. */
  damageReplica(): void
  /** Changes the value of a stored operation, as a corrupt disk would. */
  damageStorage(): Promise<void>
  /** What it has stored to prove which space it holds. */
  proof(): Promise<SpaceProof>
  /** The stored data, read without the faults of the disk. */
  state(): Promise<(SyncState & PendingCounts) | undefined>
}

export interface DeviceOptions {
  readonly name: string
  readonly time: VirtualTime
  readonly random: Random
  readonly server: SimServer
  readonly spaceId: SpaceId
  readonly chatId: TreeId
  /** Whether the device never has two tabs. */
  readonly alone: boolean
}

export function createDevice(options: DeviceOptions): Device {
  const { name, time, random, server, spaceId, chatId } = options
  const user: User = { id: name.padStart(32, '0') as UserId, email: `${name}@example.org`, name }
  const storage = memoryStorage()
  const group = createTabGroup()
  const kept = new Set<string>()
  const network = createNetwork(time, random, server)
  const tabs: Tab[] = []

  const device: Device = {
    name,
    user,
    network,
    kept,
    tabs,
    disk: goodDisk,
    skewMs: 0,
    onWritten: () => {},

    async start() {
      const started = startTab({
        ...options,
        user,
        network,
        storage,
        tabs: options.alone ? soloTabs() : group.tab(),
        diskFaults: () => device.disk,
        skewMs: () => device.skewMs,
        onKept: (id) => kept.add(id),
        onWritten: (id) => device.onWritten(id),
      })
      const tab = await started.catch(() => undefined)
      if (tab !== undefined) tabs.push(tab)
      return tab !== undefined
    },

    crash(tab) {
      tabs.splice(tabs.indexOf(tab), 1)
      tab.crash()
    },

    damageReplica() {
      const tree = tabs[0]?.trees[0]
      if (tree?.root === undefined) throw new Error('there is no replica to break')
      const id = { peerId: '7'.repeat(30), counter: 1 }
      tree.merge([{ id, targetId: tree.root.id, key: 'broken', value: true, transient: false }])
      // A tree is compared after it has changed.
      tree.root.setProperty('touched', true)
    },

    async damageStorage() {
      const state = await storage.getSyncState(spaceId)
      const ops = await storage.readTree(spaceId, chatId)
      const op = ops.find(({ key, clock }) => key !== undefined && clock > 0)
      if (state === undefined || op === undefined) throw new Error('there is nothing stored to break')
      await storage.appendRemote(spaceId, [Object.assign({}, op, { value: 'broken' })], state)
    },

    async forgetIdentity() {
      const state = await storage.getSyncState(spaceId)
      if (state !== undefined) await storage.putSyncState(spaceId, { ...state, identity: null })
    },

    proof: () => storage.getProof(spaceId),

    async state() {
      const state = await storage.getSyncState(spaceId)
      return state && { ...state, ...(await storage.countPending(spaceId)) }
    },
  }
  return device
}
