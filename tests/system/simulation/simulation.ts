import { decodeBatch, opKey, randomHexId, requests, type SpaceId, type TreeId } from '@t69/protocol'
import { Replica, toTreeOperation, toVertexOperation } from '@t69/replica'

import { createRandom } from '../../lib/random.ts'
import { wrongAuthor } from './authors.ts'
import { createDevice, type Device } from './device.ts'
import { goodDisk } from './disk.ts'
import { goodNetwork } from './network.ts'
import { seedCrypto } from './seeded-crypto.ts'
import { createSimServer, type Restored } from './server.ts'
import type { Tab } from './tab.ts'
import { createVirtualTime } from './time.ts'

export interface SimulationOptions {
  readonly devices: number
  readonly steps: number
  /** Whether older copies of the server's logs are restored while it is down. */
  readonly restores: boolean
  /**
   * The most tabs of a device. With more than one, disks are slow and fail, tabs freeze, and clocks are set,
   * the server's too.
   */
  readonly tabs?: number
  /** What is broken at the end without the client's knowledge: a replica, or the storage of a device. */
  readonly damage?: 'replica' | 'storage'
}

export interface SimulationReport {
  readonly edits: number
  /** The number of operations in the server's log at the end. */
  readonly ops: number
  readonly crashes: number
  readonly kills: number
  readonly restores: number
  /** How often a tab was stopped for a while. */
  readonly freezes: number
  /** The number of operations rejected by a full server. They are retried at the end. */
  readonly refused: number
  /** The number of trees that devices compared with the log, and of those that did not match. */
  readonly matching: number
  readonly differing: number
  /** The ids of the operations in the log, in order. */
  readonly log: readonly string[]
}

const minuteMs = 60_000

/**
 * Several devices edit a space through one server, over a network that loses, repeats, delays and cuts, while devices
 * crash and reload, and the server is killed, restarted and restored. Then the network is good for a while, and the three
 * promises of docs/architecture.md are checked. Everything follows from the seed. Throws an error that names the broken
 * promise.
 */
export async function simulate(seed: number, options: SimulationOptions): Promise<SimulationReport> {
  const random = createRandom(seed)
  const serverTroubles = createRandom(seed + 2)
  using _ = seedCrypto(createRandom(seed + 1))
  const time = createVirtualTime(1_000_000)
  const server = createSimServer(time, createRandom(seed + 3))
  const spaceId = randomHexId() as SpaceId
  const chatId = randomHexId() as TreeId
  const treeIds = [spaceId as string as TreeId, chatId]
  const report = { edits: 0, crashes: 0, kills: 0, restores: 0, freezes: 0, refused: 0 }
  const { tabs: maxTabs = 1 } = options
  /** The operations that acks have promised. */
  const acked = new Set<string>()
  let expectedDiffering = 0

  const devices = Array.from({ length: options.devices }, (_, index) =>
    createDevice({ name: `d${index}`, time, random, server, spaceId, chatId, alone: maxTabs === 1 }),
  )
  const [first] = devices
  if (first === undefined) throw new Error('there is no device')
  const owner: Device = first
  server.start()
  createSpace()
  // Of the accounts, the oldest copy is from before there was a space.
  server.backUp('logs')
  for (const device of devices) watchAcks(device)
  for (const device of devices) await startDevice(device)
  for (let step = 0; step < options.steps; step++) {
    await takeStep()
    await time.advance(random.below(400))
  }

  await heal()
  check('at the end')
  if (options.damage !== undefined) await damage(options.damage)
  // Idle devices compare their trees with the log.
  await time.advance(5 * minuteMs)
  check('after a quiet while')
  // The devices must also have stored what they show.
  for (const device of devices) for (const tab of device.tabs.toReversed()) device.crash(tab)
  await heal()
  check('after everybody reloaded')
  const log = server.log(spaceId).read(0, { maxOps: Infinity, maxBytes: Infinity }).map(opKey)
  return { ...report, ops: log.length, ...server.compared, log }

  /** Creates the space with its two trees, and makes everybody a member. */
  function createSpace(): void {
    server.accounts.register({ id: spaceId, name: 'Space' }, owner.user.id)
    for (const device of devices) server.accounts.add(spaceId, device.user.id, 'editor')
    for (const treeId of treeIds) {
      using tree = Replica.create(treeId)
      const ops = tree.getAllOps().map((op) => toTreeOperation(op, { spaceId, treeId }))
      server.log(spaceId).append([{ userId: owner.user.id, ops }], time.now())
    }
  }

  function watchAcks({ network }: Device): void {
    network.onAck = (name, payload, ack) => {
      if (name !== 'ops:push' || !ack.ok || !('rejected' in ack)) return
      const refused = new Set(ack.rejected.map(({ index }) => index))
      report.refused += refused.size
      const wrong = ack.rejected.find(({ code }) => code !== 'quota_exceeded')
      if (wrong !== undefined) throw new Error(`an honest edit was refused: ${wrong.message}`)
      const { batch } = requests['ops:push'].payload.parse(payload)
      for (const [index, op] of decodeBatch(batch).ops.entries()) {
        if (refused.has(index)) continue
        if (server.log(spaceId).compare(op) !== 'same')
          throw new Error(`${opKey(op)} is acked but not in the log`)
        acked.add(opKey(op))
      }
    }
  }

  async function startDevice(device: Device): Promise<void> {
    let isStarted = false
    const started = device.start().finally(() => (isStarted = true))
    await time.advance(minuteMs, () => isStarted)
    await started
  }

  async function takeStep(): Promise<void> {
    const device = random.pick(devices)
    const tab = device.tabs.length === 0 ? undefined : random.pick(device.tabs)
    const dice = random.next()
    if (dice < 0.7) {
      for (let edits = 1 + random.below(4); edits > 0; edits--) {
        tab?.edit()
        report.edits++
      }
    } else if (dice < 0.78) {
      device.network.offline = !device.network.offline
      if (device.network.offline) device.network.cut()
    } else if (dice < 0.84) {
      device.network.faults = { drop: 0.03, repeat: 0.1, cut: 0.05, maxDelayMs: 500, slow: 0.2 }
    } else if (dice < 0.87) {
      device.network.faults = goodNetwork
    } else if (dice < 0.92) {
      if (tab === undefined || (device.tabs.length < maxTabs && random.chance(0.6))) await startDevice(device)
      else {
        // Report what it has stored, as its journal would.
        tab.thaw()
        await time.advance(0)
        device.crash(tab)
        report.crashes++
      }
    } else if (dice < 0.97) {
      if (server.gateway === null) server.start()
      else killServer()
    } else if (options.restores) {
      if (server.gateway !== null && random.chance(0.5)) server.backUp()
      else {
        killServer()
        server.restore(await whatToRestore())
        report.restores++
        server.start()
      }
    }
    if (maxTabs > 1 && random.chance(0.3)) troubleTab(device, tab)
    if (serverTroubles.chance(0.1))
      server.disk = { fail: serverTroubles.pick([0, 0, 0.2]), maxDelayMs: serverTroubles.pick([0, 5, 100]) }
    if (maxTabs > 1 && serverTroubles.chance(0.1))
      server.skewMs = serverTroubles.pick([0, -1, 1]) * serverTroubles.pick([minuteMs, 525_600 * minuteMs])
  }

  /** Lets a random fault happen to a tab or its device, while the others continue. */
  function troubleTab(device: Device, tab: Tab | undefined): void {
    const dice = random.next()
    if (dice < 0.25)
      device.disk = { fail: random.pick([0, 0.05, 0.6]), maxDelayMs: random.pick([0, 20, 2_000]) }
    else if (dice < 0.35) device.disk = goodDisk
    else if (dice < 0.5)
      device.skewMs = random.pick([0, -1, 1]) * random.pick([minuteMs, 8 * 60 * minuteMs, 525_600 * minuteMs])
    else if (dice < 0.65) {
      tab?.freeze()
      report.freezes++
    } else if (dice < 0.8) for (const frozen of device.tabs) frozen.thaw()
    else if (dice < 0.88) void tab?.close()
    else if (dice < 0.93) server.isFull = !server.isFull
    else void tab?.open().catch(() => {})
  }

  /** The accounts are lost only once an owner's device can bring the space back. */
  async function whatToRestore(): Promise<Restored> {
    const isOwned = (await owner.proof()).seal?.role === 'owner'
    return isOwned ? random.pick<Restored>(['logs', 'accounts', 'everything']) : 'logs'
  }

  function killServer(): void {
    server.kill()
    report.kills++
    for (const { network } of devices) network.cut()
  }

  /** Lets everything work again, for long enough that everything that can arrive has arrived. */
  async function heal(): Promise<void> {
    server.start()
    server.isFull = false
    server.disk = { fail: 0, maxDelayMs: server.disk.maxDelayMs }
    for (const device of devices) {
      device.network.offline = false
      device.network.faults = goodNetwork
      device.disk = goodDisk
      for (const tab of device.tabs) tab.thaw()
      if (device.tabs.length === 0) await startDevice(device)
    }
    // Also the edits of spaces that no tab has open.
    for (let passedMs = 0; !(await isAllSent()); passedMs += 5_000) {
      if (passedMs > 10 * minuteMs) throw new Error('stored edits are not sent while the space is closed')
      await time.advance(5_000)
    }
    for (const device of devices) for (const tab of device.tabs) void tab.open()
    for (const device of devices) {
      if ((await device.state())?.rejected === 0) continue
      await time.advance(minuteMs, () => (device.tabs[0]?.space ?? null) !== null)
      void device.tabs[0]?.space?.retryRejected()
    }
    const isQuiet = (): boolean =>
      devices.every(({ tabs }) =>
        tabs.every(({ space }) => {
          const status = space?.status
          return (
            status?.phase === 'live' &&
            status.pending + status.rejected === 0 &&
            status.cursor === server.log(spaceId).head
          )
        }),
      )
    if (await time.advance(30 * minuteMs, isQuiet)) return
    const statuses = devices.flatMap(({ name, tabs }) =>
      tabs.map(({ space }) => `${name}: ${JSON.stringify(space?.status)}`),
    )
    throw new Error(
      `not every device caught up with ${server.log(spaceId).head} in time: ${statuses.join(' ')}`,
    )
  }

  async function isAllSent(): Promise<boolean> {
    for (const device of devices) {
      const state = await device.state()
      if (state?.pending !== 0 || state.reconciling) return false
    }
    return true
  }

  /** Breaks a replica or a storage without telling the device, which has to notice and correct it. */
  async function damage(what: 'replica' | 'storage'): Promise<void> {
    const device = random.pick(devices)
    if (what === 'storage') {
      await device.damageStorage()
      for (const tab of device.tabs.toReversed()) device.crash(tab)
      await heal()
    } else {
      device.damageReplica()
    }
    expectedDiffering = 1
    const isFound = (): boolean => server.compared.differing > 0
    if (!(await time.advance(10 * minuteMs, isFound))) throw new Error(`nobody noticed a broken ${what}`)
    await heal()
  }

  function check(when: string): void {
    if (server.compared.differing > expectedDiffering)
      throw new Error(`${when}: a device found a tree that does not match the log`)
    const log = server.log(spaceId)
    const inLog = new Set<string>()
    const expected = new Map<TreeId, string>()
    for (const treeId of treeIds) {
      const { ops } = log.readTree(treeId)
      for (const op of ops) inLog.add(opKey(op))
      using replica = new Replica({ treeId, ops: ops.map(toVertexOperation) })
      expected.set(treeId, replica.digest())
    }
    if (inLog.size !== log.head) throw new Error(`${when}: the log holds an operation twice`)
    for (const id of acked) if (!inLog.has(id)) throw new Error(`${when}: ${id} was acked, and is lost`)
    for (const device of devices) {
      const wrong = wrongAuthor(device, inLog, server.committers)
      if (wrong !== undefined) throw new Error(`${when}: ${wrong}`)
    }
    for (const { name, kept, tabs } of devices) {
      for (const id of kept)
        if (!inLog.has(id)) throw new Error(`${when}: ${id} was stored on ${name}, and is lost`)
      for (const tree of tabs.flatMap((tab) => tab.trees)) {
        const treeId = tree.root?.id as TreeId
        if (tree.digest() !== expected.get(treeId))
          throw new Error(`${when}: ${name} shows another tree ${treeId} than the server`)
      }
    }
  }
}
