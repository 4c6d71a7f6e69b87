import { decodeBatch, opKey, randomHexId, requests, type SpaceId, type TreeId } from '@t69/protocol'
import { Replica, toTreeOperation } from '@t69/replica'

import { createRandom } from '../../lib/random.ts'
import { openSeal } from './accounts.ts'
import { createDevice, type Device } from './device.ts'
import { goodNetwork } from './network.ts'
import { createRemovedMember } from './removed-member.ts'
import { seedCrypto } from './seeded-crypto.ts'
import { createSimServer, type Restored } from './server.ts'
import { createVirtualTime } from './time.ts'

export interface TakeoverReport {
  readonly edits: number
  /** How often the member was removed: 0 or 1. */
  readonly removals: number
  readonly restores: number
  /** How often the removed member registered a space of their own under the id. */
  readonly takeovers: number
  /** How often somebody accepted the removed member's invite. */
  readonly accepted: number
  /** Operations that reached the removed member: those of before, and of whoever could not know. */
  readonly heard: number
  /** Operations that had to stay secret. */
  readonly secrets: number
}

const minuteMs = 60_000

/**
 * A member is removed at a random moment, and then does whatever they can to read on, while devices edit, crash, reload
 * and lose their connection, and the server is killed, restored from older copies, or deletes the space. Throws if they
 * are sent an operation that was written by a device that knew of the removal, or that was committed by a server that did.
 */
export async function simulateTakeover(
  seed: number,
  devicesCount: number,
  steps: number,
): Promise<TakeoverReport> {
  const random = createRandom(seed)
  using _ = seedCrypto(createRandom(seed + 1))
  const time = createVirtualTime(1_000_000)
  const server = createSimServer(time, createRandom(seed + 2))
  server.disk = { fail: 0, maxDelayMs: random.pick([0, 5, 100]) }
  const spaceId = randomHexId() as SpaceId
  const chatId = randomHexId() as TreeId
  const report = { edits: 0, removals: 0, restores: 0, accepted: 0 }
  const violations: string[] = []
  /** The devices whose stored seal says that the member was removed. */
  const informed = new Set<Device>()
  /** Operations that the removed member must not get, with the reason. */
  const secrets = new Map<string, string>()
  /** Operations that were committed while neither the server nor the device knew of the removal. */
  const open = new Set<string>()

  const eve = createRemovedMember({
    random,
    server,
    spaceId,
    onHeard(id) {
      const why = secrets.get(id)
      if (why !== undefined) violations.push(`the removed member got ${id}, which was ${why}`)
    },
  })
  const devices = Array.from({ length: devicesCount }, (_, index) =>
    createDevice({ name: `d${index}`, time, random, server, spaceId, chatId, alone: true }),
  )
  const others = devices.map(({ user }) => user.id)

  server.start()
  createSpace()
  server.backUp('logs')
  for (const device of devices) watch(device)
  for (const device of devices) await startDevice(device)
  for (let step = 0; step < steps; step++) {
    await learn()
    await takeStep()
    await time.advance(random.below(400))
    checkViolations()
  }
  await settle()
  return { ...report, heard: eve.heard, takeovers: eve.takeovers, secrets: secrets.size }

  /** Creates the space. The member who is removed later is an owner of it, or an editor. */
  function createSpace(): void {
    const [owner, ...editors] = others
    if (owner === undefined) throw new Error('there is no device')
    server.accounts.register({ id: spaceId, name: 'Space' }, owner)
    for (const editor of editors) server.accounts.add(spaceId, editor, 'editor')
    server.accounts.add(spaceId, eve.user.id, random.pick(['owner', 'editor']))
    for (const treeId of [spaceId as string as TreeId, chatId]) {
      using tree = Replica.create(treeId)
      const ops = tree.getAllOps().map((op) => toTreeOperation(op, { spaceId, treeId }))
      server.log(spaceId).append([{ userId: owner, ops }], time.now())
      for (const op of ops) open.add(opKey(op))
    }
  }

  function watch(device: Device): void {
    device.onWritten = (id) => {
      if (informed.has(device)) secrets.set(id, `written on ${device.name}, which knew`)
    }
    device.network.onAck = (name, payload, ack) => {
      if (name !== 'ops:push' || !ack.ok || !('rejected' in ack)) return
      const isRemoved = server.accounts.wasRemoved(spaceId, eve.user.id)
      // A removal is not confirmed until the log has kept it: a commit may have been under way.
      const isConfirmed = isRemoved && !server.isKeepingAccess
      const { batch } = requests['ops:push'].payload.parse(payload)
      for (const id of decodeBatch(batch).ops.map(opKey)) {
        if (isConfirmed) {
          if (!open.has(id)) secrets.set(id, 'committed by a server that knew')
        } else if (!informed.has(device)) {
          secrets.delete(id)
          open.add(id)
        } else if (!isRemoved) {
          violations.push(`${device.name} knew, and sent ${id} to a server that does not`)
        }
      }
    }
  }

  /** Notes which devices know of the removal by now. */
  async function learn(): Promise<void> {
    for (const device of devices) {
      const { seal } = await device.proof()
      const entries = seal === null ? [] : openSeal(seal.seal).entries
      const isInformed = entries.some(({ userId, role }) => userId === eve.user.id && role === null)
      if (isInformed) informed.add(device)
      else informed.delete(device)
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
    const [tab] = device.tabs
    const dice = random.next()
    if (report.removals === 0 && random.chance(0.05) && server.gateway !== null) {
      if (server.accounts.remove(spaceId, eve.user.id)) report.removals++
    } else if (dice < 0.35) {
      for (let edits = 1 + random.below(3); edits > 0; edits--) {
        tab?.edit()
        report.edits++
      }
    } else if (dice < 0.6) {
      const invited = eve.act(others)
      const guest = devices.find(({ user }) => user.id === invited)
      if (guest?.tabs[0] !== undefined) {
        report.accepted++
        void guest.tabs[0].acceptInvite()
      }
    } else if (dice < 0.68) {
      device.network.offline = !device.network.offline
      if (device.network.offline) device.network.cut()
    } else if (dice < 0.74) {
      device.network.faults = { drop: 0.03, repeat: 0.1, cut: 0.05, maxDelayMs: 500, slow: 0.2 }
    } else if (dice < 0.82) {
      if (tab === undefined) await startDevice(device)
      else {
        device.crash(tab)
        // As it was stored by a release that knew no identities.
        if (random.chance(0.2)) await device.forgetIdentity()
      }
    } else if (dice < 0.86) {
      if (server.gateway === null) server.start()
      else killServer()
    } else if (dice < 0.9) {
      if (server.gateway !== null) server.backUp(random.pick<Restored>(['logs', 'accounts', 'everything']))
    } else if (dice < 0.97) {
      killServer()
      // Before the removal, mostly a server that keeps its accounts: otherwise there would seldom be one.
      const mayLoseAccounts = report.removals > 0 || random.chance(0.2)
      server.restore(mayLoseAccounts ? random.pick<Restored>(['logs', 'accounts', 'everything']) : 'logs')
      report.restores++
      server.start()
    } else if (report.removals > 0 && random.chance(0.2) && server.accounts.of(spaceId) !== undefined)
      server.deleteSpace(spaceId)
  }

  function killServer(): void {
    server.kill()
    for (const { network } of devices) network.cut()
  }

  /** Lets everything work for a while, so that whatever can leave a device leaves it, and the removed member reads it. */
  async function settle(): Promise<void> {
    server.start()
    for (const device of devices) {
      device.network.offline = false
      device.network.faults = goodNetwork
      if (device.tabs.length === 0) await startDevice(device)
    }
    for (let round = 0; round < 6; round++) {
      await learn()
      eve.act(others)
      await time.advance(minuteMs)
      checkViolations()
    }
  }

  function checkViolations(): void {
    if (violations.length > 0) throw new Error(violations[0])
  }
}
