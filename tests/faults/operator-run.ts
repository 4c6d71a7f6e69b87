import { basename, join } from 'node:path'

import type { Space, SyncClient } from '@t69/sync-client'

import { createRandom, type Random } from '../lib/random.ts'
import { type ServerProcess, startServer } from '../lib/server-process.ts'
import { agreed, anna, childNames, createFleet, type Fleet, live, roomyLimits, until } from './fleet.ts'
import { createOperatorHands } from './operator-hands.ts'
import { idAndContent, readOps, spaceFile } from './space-file.ts'

const deviceCount = 3
const spaceCount = 2
/** Refusals for the storage's sake that each device may meet in each space once nobody touches the files any more. */
const maxRefusals = 10
/** How long a device may hear nothing, in ms. */
const newsDeadlineMs = 60_000

/** A space on one of the devices. */
interface Held {
  readonly device: SyncClient
  space: Space
}

/**
 * Lets an operator loose on the files of a server, while three devices write in two spaces. Then nobody touches the
 * files any more, and everything that any device ever showed has to be on all of them and on the disk. Throws with what
 * was done. The seed draws what is done; the machine decides what the server is doing at that moment.
 */
export async function runOperator(seed: number, through: readonly string[]): Promise<readonly string[]> {
  const random = createRandom(seed)
  const story: string[] = []
  await using server = await startServer({ env: roomyLimits, through })
  try {
    await using fleet = await createFleet(server.url)
    const run = await prepare(server, fleet, random, story)
    const acts = 6 + random.below(15)
    for (let act = 0; act < acts; act++) await run.step()
    await run.handsOff()
    await run.check()
    return story
  } catch (error) {
    throw new Error(`seed ${seed}: ${String(error)}\n${story.join('\n')}\n\n${server.log()}`, {
      cause: error,
    })
  }
}

interface OperatorRun {
  step(): Promise<void>
  handsOff(): Promise<void>
  check(): Promise<void>
}

async function prepare(
  server: ServerProcess,
  fleet: Fleet,
  random: Random,
  story: string[],
): Promise<OperatorRun> {
  const devices = await Promise.all(Array.from({ length: deviceCount }, () => fleet.device()))
  const [first, ...others] = devices
  if (first === undefined) throw new Error('there are no devices')
  const groups: (readonly [Held, ...Held[]])[] = []
  for (let index = 0; index < spaceCount; index++) {
    const { id } = await first.createSpace({ name: `Space ${index}` })
    const made = await first.openSpace(id)
    await made.flushed()
    const hold = async (device: SyncClient): Promise<Held> => ({ device, space: await device.openSpace(id) })
    const group = [await hold(first), ...(await Promise.all(others.map(hold)))] as const
    await Promise.all(group.map(({ space }) => live(space)))
    groups.push(group)
  }
  const all = groups.flat()
  const ids = groups.map(([{ space }]) => space.id)
  const shown = new Map<string, string[]>(ids.map((id) => [id, []]))
  const platform = join(server.dataDir, 'platform.sqlite')
  const files = ids.map((id) => spaceFile(server.dataDir, id))
  const hands = createOperatorHands(random)
  for (const path of [platform, ...files]) hands.copy(path)
  let edits = 0

  /** Whoever is signed out, because the accounts have forgotten the session, sees no space to write in. */
  function edit({ device, space }: Held, count: number): void {
    if (device.user === null) return
    for (let index = 0; index < count; index++) {
      const name = `edit ${edits++}`
      space.root.root?.newNamedChild(name)
      shown.get(space.id)?.push(name)
    }
  }

  const steps: readonly [weight: number, step: () => Promise<void>][] = [
    [
      5,
      async () => {
        const path = random.pick([platform, ...files, ...files, ...files])
        story.push(`${basename(path)}: the operator ${await hands.touch(path)}`)
      },
    ],
    [3, async () => edit(random.pick(all), 1 + random.below(random.chance(0.2) ? 400 : 5))],
    [
      3,
      async () => {
        if (server.pid === undefined) return
        const held = random.pick(all)
        if (held.device.user === null) return
        const news = nextNews(fleet, held.space, server.gone)
        edit(held, 1)
        await news
      },
    ],
    [
      1,
      async () => {
        story.push('the server is killed')
        await server.kill()
      },
    ],
    [
      1,
      async () => {
        story.push('the server is stopped')
        await server.stop()
      },
    ],
    [3, async () => void (await startIfPossible(server, story))],
  ]
  const drawn = steps.flatMap(([weight, step]) => Array.from({ length: weight }, () => step))

  return {
    step: async () => await random.pick(drawn)(),

    handsOff: async () => {
      story.push('hands off')
      hands.letGo()
      if (random.chance(0.5)) await server.kill()
      else await server.stop()
      // No device can bring accounts and sessions back: that file is restored as the docs say.
      if (hands.isHarmed(platform)) hands.putBack(platform)
      await server.start()
    },

    check: async () => {
      const stuck = Promise.withResolvers<never>()
      let refusals = 0
      fleet.onAnswer((code) => {
        if (code === 'storage_failed') refusals++
        if (refusals > maxRefusals * all.length) stuck.reject(new Error('the storage never recovers'))
      })
      // Damage may be where nobody has read yet: whoever reads all of the log finds it, and the others mend it.
      const newcomer = await fleet.device()
      const seen = await Promise.all(
        groups.map(async (group) => {
          const opened = await newcomer.openSpace(group[0].space.id)
          await Promise.all(group.map(comeBack))
          return [...group.map(({ space }) => space), opened]
        }),
      )
      await Promise.race([stuck.promise, Promise.all(seen.map(agreed))])
      for (const space of seen.flat()) {
        const names = new Set(childNames(space))
        const missing = (shown.get(space.id) ?? []).filter((name) => !names.has(name))
        if (missing.length > 0) throw new Error(`lost in ${space.id}: ${missing.join(', ')}`)
      }
      await server.stop()
      const contents = new Map(files.flatMap((file) => [...readOps(file).contents]))
      for (const op of fleet.acked.values()) {
        const [key, content] = idAndContent(op)
        if (contents.get(key) !== content) throw new Error(`acked, and not on the disk: ${key} ${content}`)
      }
    },
  }
}

/** Signs in again where the accounts had lost the session: its space is locked until then, with all that was written in it. */
async function comeBack(held: Held): Promise<void> {
  const { device, space } = held
  await until(space, ({ phase }) => phase === 'live' || phase === 'signed-out')
  if (space.status.phase === 'live') return
  if (device.user === null) await device.signIn(anna)
  held.space = await device.openSpace(space.id)
}

/** Starts the server if it does not run. Resolves with whether it runs. */
async function startIfPossible(server: ServerProcess, story: string[]): Promise<boolean> {
  if (server.pid !== undefined) return true
  try {
    await server.start()
    story.push('the server is started')
    return true
  } catch {
    story.push('the server does not start')
    return false
  }
}

/**
 * Resolves when a device hears from the server, or this space that there is none, or when the server is `gone`: it may end
 * by itself just now, and then nothing may change any more. Rejects after a minute of silence.
 */
async function nextNews(fleet: Fleet, space: Space, gone: Promise<void>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const { phase } = space.status
  const stop = space.onStatus((status) => void (status.phase !== phase && resolve()))
  fleet.onAnswer(() => resolve())
  void gone.then(resolve)
  const timer = setTimeout(
    () => reject(new Error(`no news in ${newsDeadlineMs} ms: ${JSON.stringify(space.status)}`)),
    newsDeadlineMs,
  )
  await promise.finally(() => {
    clearTimeout(timer)
    stop()
  })
}
