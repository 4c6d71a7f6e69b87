import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { browserKiller } from '../lib/chromium.ts'
import { openStorageLab, type StorageLab } from '../lib/storage-lab.ts'

/** The storage in a browser that is killed, ends connections, has no room, or refuses access. */

let device: StorageLab

beforeAll(async () => {
  device = await openStorageLab()
})
afterAll(async () => {
  await device[Symbol.asyncDispose]()
})

describe('a browser that is killed', () => {
  /** Stores edits in two trees, then a page of the log with its cursor, and so on without a pause. */
  async function writeOn(): Promise<void> {
    const { spaceId, otherChat, someOps, following } = lab
    const storage = await lab.openIndexedDbStorage()
    let cursor = (await storage.getSyncState(spaceId))?.cursor ?? 0
    if (cursor === 0) await storage.putSyncState(spaceId, following(0))
    const mine = (await storage.readTree(spaceId, otherChat)).length
    for (let round = mine + 1; ; round++) {
      const edit = [...someOps({ from: round }), ...someOps({ from: round, tree: otherChat })]
      await storage.appendLocal(spaceId, edit)
      // Rows and segments in turn.
      const count = round % 2 === 0 ? 10 : 70
      const from = cursor + 1
      cursor += count
      await storage.appendRemote(spaceId, someOps({ from, count, peer: '99' }), following(cursor))
      void Reflect.get(globalThis, 'reportStored')(round, cursor)
    }
  }

  /** Kills the browser as soon as it has reported that many rounds; returns its last report. */
  async function writeUntilKilled(device: StorageLab, rounds: number) {
    const page = await device.openPage()
    const kill = await browserKiller(device.context)
    const { promise: killed, resolve, reject } = Promise.withResolvers<void>()
    let stored = { round: 0, cursor: 0 }
    let reports = 0
    await page.exposeFunction('reportStored', (round: number, cursor: number) => {
      stored = { round, cursor }
      reports += 1
      if (reports === rounds) kill().then(resolve, reject)
    })
    page.evaluate(writeOn).catch((error: unknown) => {
      if (reports < rounds) reject(error)
    })
    await killed
    return stored
  }

  async function readBack() {
    const { spaceId, chat, otherChat } = lab
    const storage = await lab.openIndexedDbStorage()
    const ops = await storage.readTree(spaceId, chat)
    const clocksOf = (peer: string) =>
      ops.flatMap((op) => (op.peerId === peer ? op.clock : [])).toSorted((a, b) => a - b)
    const outbox = (await storage.readOutbox(spaceId, Number.MAX_SAFE_INTEGER))?.ops ?? []
    return {
      trees: [chat, otherChat],
      mine: clocksOf('1234'),
      inOtherChat: (await storage.readTree(spaceId, otherChat)).length,
      queued: outbox.map((op) => `${op.clock} ${op.treeId}`),
      pending: (await storage.countPending(spaceId)).pending,
      received: clocksOf('99'),
      cursor: (await storage.getSyncState(spaceId))?.cursor ?? 0,
    }
  }

  // A new profile for each, since Chromium may empty a database whose writer is killed twice: google/leveldb#1287.
  test.each([1, 25])(
    'after %d reports has all that they say, and each transaction whole',
    async (reports) => {
      await using device = await openStorageLab()
      const stored = await writeUntilKilled(device, reports)
      await device.relaunch()
      const page = await device.openPage()
      const kept = await page.evaluate(readBack)
      // The transaction in progress may be there or not, as a whole.
      const { length } = kept.mine
      expect(length).toBeGreaterThanOrEqual(stored.round)
      expect(kept.mine).toEqual(upTo(length))
      expect(kept.inOtherChat).toBe(length)
      expect(kept.queued).toEqual(upTo(length).flatMap((clock) => kept.trees.map((id) => `${clock} ${id}`)))
      expect(kept.pending).toBe(2 * length)
      expect(kept.received).toEqual(upTo(kept.cursor))
      expect(kept.cursor).toBeGreaterThanOrEqual(stored.cursor)
    },
  )
})

const internalsUrl = 'chrome://indexeddb-internals'

describe('a connection that ends while edits are being stored', () => {
  /** Stores edits, ten at a time, until told to stop. `connections` are those that the browser opened. */
  function storeEdits(page: Page, name: string) {
    return page.evaluateHandle(async (dbName) => {
      const connections: IDBDatabase[] = []
      const open = indexedDB.open.bind(indexedDB)
      indexedDB.open = (...args) => {
        const request = open(...args)
        request.addEventListener('success', () => connections.push(request.result))
        return request
      }
      const storage = await lab.openIndexedDbStorage({ name: dbName })
      await storage.putSyncState(lab.spaceId, lab.following(0))
      const run = { storage, connections, isStopped: false, done: Promise.resolve(0) }
      const writeOn = async () => {
        let clock = 0
        while (!run.isStopped) {
          const edits = Array.from({ length: 10 }, () => lab.someOps({ from: ++clock }))
          await Promise.all(edits.map((edit) => storage.appendLocal(lab.spaceId, edit)))
        }
        return clock
      }
      run.done = writeOn()
      return run
    }, name)
  }
  type Edits = Awaited<ReturnType<typeof storeEdits>>

  /** Continues the edits until there is a new connection, then reads what was stored. */
  async function afterReopening(page: Page, edits: Edits) {
    await page.waitForFunction(({ connections }) => connections.length > 1, edits)
    return await edits.evaluate(async (run) => {
      run.isStopped = true
      const written = await run.done
      const inTree = await run.storage.readTree(lab.spaceId, lab.chat)
      const queued = (await run.storage.readOutbox(lab.spaceId, Number.MAX_SAFE_INTEGER))?.ops ?? []
      const clocks = (ops: typeof queued) => ops.map((op) => op.clock).toSorted((a, b) => a - b)
      return { written, inTree: clocks(inTree), queued: clocks(queued) }
    })
  }

  test('without an event, as in Safari, is reopened and nothing is lost', async () => {
    const page = await device.openPage()
    const edits = await storeEdits(page, 'closed')
    await edits.evaluate(({ connections }) => connections[0]?.close())
    const { written, inTree, queued } = await afterReopening(page, edits)
    expect(inTree).toEqual(upTo(written))
    expect(queued).toEqual(upTo(written))
    await page.close()
  })

  test('by the browser, in the middle of a transaction, is reopened and nothing is lost', async ({
    skip,
  }) => {
    const internals = await device.context.newPage()
    const answer = await internals.goto(internalsUrl).catch(() => null)
    if (answer === null) skip('a headless shell has no page that ends connections')
    const page = await device.openPage()
    const rounds = Number(process.env['FORCED_CLOSES'] ?? 3)
    for (let round = 1; round <= rounds; round++) {
      const edits = await storeEdits(page, `forced ${round}`)
      // The page lists the open databases; each button ends all connections of one site.
      await internals.goto(internalsUrl)
      await internals.getByText('Force close').first().click()
      const { written, inTree, queued } = await afterReopening(page, edits)
      expect(inTree).toEqual(upTo(written))
      expect(queued).toEqual(upTo(written))
    }
    await internals.close()
    await page.close()
  })

  test('because the site data were deleted is reopened on an empty database', async () => {
    const page = await device.openPage()
    const storage = await page.evaluateHandle(async () => {
      const opened = await lab.openIndexedDbStorage({ name: 'deleted' })
      await opened.appendLocal(lab.spaceId, lab.someOps())
      return opened
    })
    const devtools = await device.context.newCDPSession(page)
    await devtools.send('Storage.clearDataForOrigin', { origin: device.url, storageTypes: 'indexeddb' })
    const kept = await storage.evaluate(async (opened) => {
      await opened.appendLocal(lab.spaceId, lab.someOps({ from: 2 }))
      return await opened.readTree(lab.spaceId, lab.chat)
    })
    expect(kept.map((op) => op.clock)).toEqual([2])
    await page.close()
  })
})

describe('a browser without room', () => {
  test('refuses an edit without storing part of it, and takes it once there is room', async () => {
    // An origin of its own, because Chromium remembers for half a minute how much room an origin had.
    const origin = originNamed('full')
    const page = await device.openPage()
    const devtools = await device.context.newCDPSession(page)
    await devtools.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 1_000_000 })
    await page.goto(origin)
    const storage = await page.evaluateHandle(async () => {
      const opened = await lab.openIndexedDbStorage()
      await opened.putSyncState(lab.spaceId, lab.following(0))
      await opened.appendLocal(lab.spaceId, lab.someOps())
      return opened
    })
    const append = () =>
      storage.evaluate(async (opened) => {
        // Random, since Chromium compresses what it stores.
        const noise = () => Array.from(crypto.getRandomValues(new Uint32Array(8_000))).join(' ')
        const edits = Array.from({ length: 30 }, (_, index) =>
          lab.someOps({ from: index + 2, value: noise() }),
        )
        const outcome = await opened.appendLocal(lab.spaceId, edits.flat()).then(
          () => 'stored',
          (error: unknown) => String(error),
        )
        const { length } = await opened.readTree(lab.spaceId, lab.chat)
        return { outcome, length, ...(await opened.countPending(lab.spaceId)) }
      })
    expect(await append()).toEqual({
      outcome: expect.stringMatching(/no more room/),
      length: 1,
      pending: 1,
      rejected: 0,
    })
    await devtools.send('Storage.overrideQuotaForOrigin', { origin })
    expect(await append()).toEqual({ outcome: 'stored', length: 31, pending: 31, rejected: 0 })
    await page.close()
  })
})

describe('a browser that refuses storage', () => {
  test('because cookies are blocked gets a page that works in memory and says why', async () => {
    const page = await device.openPage('/opaque')
    expect(await page.evaluate(volatileReason)).toMatch(/private window/)
    await page.close()
  })

  test('because its files are damaged gets a page that works in memory and says why', async () => {
    const { hostname, port } = new URL(originNamed('broken'))
    const folder = join(device.profile, 'Default/IndexedDB')
    // Files where Chromium expects folders.
    for (const end of ['', '.indexeddb.leveldb'])
      await writeFile(join(folder, `http_${hostname}_${port}${end}`), '')
    const page = await device.openPage()
    await page.goto(originNamed('broken'))
    expect(await page.evaluate(volatileReason)).toMatch(/does not open/)
    await page.close()
  })
})

function originNamed(name: string): string {
  return device.url.replace('127.0.0.1', `${name}.localhost`)
}

/** Opens a storage, and checks that it works, on disk or in memory. */
async function volatileReason(): Promise<string | null> {
  const storage = await lab.openIndexedDbStorage()
  await storage.appendLocal(lab.spaceId, lab.someOps({ count: 3 }))
  const { length } = await storage.readTree(lab.spaceId, lab.chat)
  if (length !== 3) throw new Error('what was appended is not read')
  return storage.volatileReason
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1)
}
