import { expect, it, vi } from 'vitest'

import { simulate } from './simulation.ts'
import { simulateTakeover } from './takeover.ts'

/** Set SIMULATION_RUNS for a longer search, SIMULATION_SEED to repeat one run. */
const runs = Number(process.env['SIMULATION_RUNS'] ?? 1_000)
const onlySeed = process.env['SIMULATION_SEED']
vi.setConfig({ testTimeout: 300_000 + runs * 250 })

const totals = [
  'edits',
  'ops',
  'crashes',
  'kills',
  'restores',
  'freezes',
  'refused',
  'matching',
  'differing',
] as const

interface Scenario {
  readonly restores?: boolean
  readonly tabs?: number
  readonly damage?: 'replica' | 'storage'
  /** Summed over all runs. */
  readonly share?: number
}

/** Runs seeds. A run throws if a promise is broken, and the totals show that the runs had enough faults. */
async function simulateMany(
  first: number,
  { restores = false, tabs = 1, damage, share = 0.5 }: Scenario = {},
) {
  const seeds =
    onlySeed === undefined
      ? Array.from({ length: Math.ceil(runs * share) }, (_, index) => first + index)
      : [Number(onlySeed)]
  const total = {
    runs: seeds.length,
    edits: 0,
    ops: 0,
    crashes: 0,
    kills: 0,
    restores: 0,
    freezes: 0,
    refused: 0,
    matching: 0,
    differing: 0,
  }
  for (const seed of seeds) {
    const options = { devices: 2 + (seed % 3), steps: 60, restores, tabs, ...(damage && { damage }) }
    const report = await simulate(seed, options).catch((error: unknown) => {
      throw new Error(`seed ${seed} (SIMULATION_SEED=${seed} repeats it)`, { cause: error })
    })
    for (const key of totals) total[key] += report[key]
  }
  console.log(total)
  return total
}

it('the system keeps its three promises through faults of the network, the devices and the server', async () => {
  const total = await simulateMany(1)
  expect(total.ops).toBeGreaterThan(total.runs)
  expect(total.matching).toBeGreaterThan(total.runs)
})

it('[CL5] devices send a server restored from older copies everything it lacks', async () => {
  const total = await simulateMany(100_000, { restores: true })
  expect(total.ops).toBeGreaterThan(total.runs)
})

it('the system keeps its three promises with tabs that freeze and crash, and disks that are slow and fail', async () => {
  const total = await simulateMany(300_000, { restores: true, tabs: 3, share: 0.05 })
  expect(total.freezes).toBeGreaterThan(onlySeed === undefined ? total.runs : -1)
  expect(total.refused).toBeGreaterThan(onlySeed === undefined ? total.runs : -1)
})

it.each(['replica', 'storage'] as const)(
  '[DV4] a device with a broken %s notices by its digest, and in the end shows what everybody shows',
  async (damage) => {
    const total = await simulateMany(200_000, { damage, share: 0.02 })
    expect(total.differing).toBe(total.runs)
  },
)

it('[SI3] nothing that is written or committed after a removal reaches the removed member, who takes the id over', async () => {
  const first = 400_000
  const seeds = onlySeed === undefined ? Math.ceil(runs / 5) : 1
  const total = { edits: 0, removals: 0, restores: 0, takeovers: 0, accepted: 0, heard: 0, secrets: 0 }
  for (let index = 0; index < seeds; index++) {
    const seed = onlySeed === undefined ? first + index : Number(onlySeed)
    const report = await simulateTakeover(seed, 2 + (seed % 3), 80).catch((error: unknown) => {
      throw new Error(`seed ${seed} (SIMULATION_SEED=${seed} repeats it)`, { cause: error })
    })
    for (const key of ['edits', 'removals', 'restores', 'takeovers', 'accepted', 'heard', 'secrets'] as const)
      total[key] += report[key]
  }
  console.log(total)
  if (onlySeed !== undefined) return
  for (const count of [total.removals, total.secrets, total.heard]) expect(count).toBeGreaterThan(seeds / 2)
  expect(total.takeovers).toBeGreaterThan(seeds / 20)
  expect(total.accepted).toBeGreaterThan(seeds / 20)
})

it('a run repeats exactly from its seed', async () => {
  const options = { devices: 3, steps: 60, restores: true }
  expect(await simulate(7, options)).toEqual(await simulate(7, options))
})
