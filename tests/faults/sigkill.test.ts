import type { Space } from '@t69/sync-client'
import { expect, it } from 'vitest'

import { createRandom } from '../lib/random.ts'
import { startServer } from '../lib/server-process.ts'
import { agreed, createFleet, roomyLimits, serverTree } from './fleet.ts'
import { idAndContent, readOps, spaceFile } from './space-file.ts'

/** Set FAULT_KILLS=100 for the long run. */
const kills = Number(process.env['FAULT_KILLS'] ?? 12)
/** Seeds the moments of the kills. The machine decides what else happens at them. */
const seed = Number(process.env['FAULT_SEED'] ?? 1)
const deviceCount = 20
/** The time between two edits of a device, in ms. Devices edit with or without a server. */
const editEveryMs = 200

/** Edits until it is stopped. Returns what it has made, each name once. */
function keepEditing(space: Space, device: number): { readonly made: string[]; stop(): void } {
  const made: string[] = []
  const { root } = space.root
  if (root === undefined) throw new Error('the space has no root yet')
  const own = root.newNamedChild(`device ${device}`)
  made.push(`device ${device}`)
  let edits = 0
  const timer = setInterval(() => {
    edits++
    if (edits % 10 === 0) {
      own.newNamedChild(`${device}-${edits}`)
      made.push(`${device}-${edits}`)
    } else own.setProperty('count', edits)
  }, editEveryMs)
  return { made, stop: () => clearInterval(timer) }
}

it(`[PU1] no acked operation is lost or doubled in ${kills} kills under the load of ${deviceCount} devices`, async () => {
  await using server = await startServer({ env: roomyLimits })
  await using fleet = await createFleet(server.url)
  const first = await fleet.device()
  const { id } = await first.createSpace({ name: 'Busy' })
  const space = await first.openSpace(id)
  await space.flushed()
  const spaces = [space]
  while (spaces.length < deviceCount) {
    const client = await fleet.device()
    const joined = await client.openSpace(id)
    spaces.push(joined)
  }
  await agreed(spaces)

  const begun = performance.now()
  const editors = spaces.map((space, index) => keepEditing(space, index))
  const random = createRandom(seed)
  let ackedBetween = 0
  for (let kill = 0; kill < kills; kill++) {
    // Devices are sending again, and the kill comes at a random moment.
    await fleet.nextAck()
    await new Promise((resolve) => setTimeout(resolve, random.next() * 150))
    await server.kill()
    ackedBetween = fleet.acked.size
    await server.start()
  }
  await fleet.nextAck()
  for (const editor of editors) editor.stop()
  const digest = await agreed(spaces)

  const { count, contents } = readOps(spaceFile(server.dataDir, id))
  expect(contents.size).toBe(count)
  for (const op of fleet.acked.values()) {
    const [key, content] = idAndContent(op)
    if (contents.get(key) !== content) throw new Error(`lost or changed: ${key} ${content}`)
  }
  const tree = await serverTree(server.url, await fleet.token(), id)
  expect(tree.digest).toBe(digest)
  const made = editors.flatMap((editor) => editor.made)
  const shown = tree.names.filter((name) => /^(device \d+|\d+-\d+)$/.test(name))
  expect(shown.toSorted()).toEqual(made.toSorted())
  expect(fleet.acked.size).toBeGreaterThan(ackedBetween)
  const seconds = Math.round((performance.now() - begun) / 1000)
  console.log({ seed, kills, devices: deviceCount, operations: count, acked: fleet.acked.size, seconds })
})
