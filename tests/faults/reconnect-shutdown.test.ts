import type { Space } from '@t69/sync-client'
import { expect, it } from 'vitest'

import { createNetworkLink } from '../lib/network-link.ts'
import { startServer } from '../lib/server-process.ts'
import { agreed, childNames, createFleet, live, roomyLimits, until } from './fleet.ts'
import { idAndContent, readOps, spaceFile } from './space-file.ts'

/** Set FAULT_STOPS=20 for the long run. */
const stops = Number(process.env['FAULT_STOPS'] ?? 1)
const writers = 6

/** Edits continuously, with or without a server. Returns what it has made. */
function keepWriting(space: Space, writer: number): { readonly made: string[]; stop(): void } {
  const made: string[] = []
  const timer = setInterval(() => {
    const name = `${writer}-${made.length}`
    space.root.root?.newNamedChild(name)
    made.push(name)
  }, 30)
  return { made, stop: () => clearInterval(timer) }
}

it(`a server that is stopped under load neither loses nor doubles an edit, even if one client does not read`, async () => {
  await using server = await startServer({ env: roomyLimits })
  await using link = await createNetworkLink(server.url)
  await using fleet = await createFleet(server.url)
  const first = await fleet.device()
  const space = await first.createSpace({ name: 'Busy' })
  await space.flushed()
  const spaces = [space]
  while (spaces.length < writers) spaces.push(await (await fleet.device()).openSpace(space.id))
  const deaf = await (await fleet.device(link.url)).openSpace(space.id)
  await agreed([...spaces, deaf])

  const editors = spaces.map((space, index) => keepWriting(space, index))
  const stopMs: number[] = []
  for (let count = 0; count < stops; count++) {
    await live(deaf)
    link.deafen()
    await fleet.nextAck()
    const told = spaces.map((space) => until(space, ({ phase }) => phase === 'offline'))
    const begun = performance.now()
    expect(await server.stop()).toBe(0)
    stopMs.push(Math.round(performance.now() - begun))
    await Promise.all(told)
    link.restore()
    await server.start()
    await fleet.nextAck()
  }
  for (const editor of editors) editor.stop()
  await agreed([...spaces, deaf])
  console.log({ stops, stopMs, acked: fleet.acked.size })

  const { count, contents } = readOps(spaceFile(server.dataDir, space.id))
  expect(contents.size).toBe(count)
  for (const op of fleet.acked.values()) {
    const [key, content] = idAndContent(op)
    if (contents.get(key) !== content) throw new Error(`lost or changed: ${key} ${content}`)
  }
  const made = editors.flatMap((editor) => editor.made)
  for (const space of [...spaces, deaf]) expect(childNames(space).toSorted()).toEqual(made.toSorted())
  expect(server.log()).not.toContain('took too long')
})
