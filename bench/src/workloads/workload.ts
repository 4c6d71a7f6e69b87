import { type ServerProcess, startServer } from '../lib/process.ts'
import type { Device, Doc, Peer } from '../peers/peer.ts'

/** A figure's unit, and how many digits are shown. */
export type Unit = 'ms' | 's' | 'a second' | 'bytes' | 'kB' | 'MB' | 'edits'

/** What has a row: a peer, or something that is measured alone. */
export type Measured = Pick<Peer, 'name' | 'packages'> & Partial<Pick<Peer, 'ack'>>

interface Described {
  readonly name: string
  /** What is done, in a sentence or two. */
  readonly what: string
  readonly figures: Readonly<Record<string, Unit>>
  /** How often it is done with each, one after another. The medians count. */
  readonly rounds: number
  /** A run that takes longer has failed, in seconds. Default: 60. */
  readonly deadlineS?: number
}

/** With a server and its devices. */
export interface Workload extends Described {
  /** Whether it says anything about a peer, or why not, for its row. */
  takes?(peer: Peer): boolean | string
  /** Whether it measures a bare client as well (`Peer.isBare`). */
  readonly withBare?: true
  /** How much longer each flush to the disk takes, in ms. */
  readonly flushMs?: number
  /** Does it once, on a server of its own. Rejects if the peer does not do what it is asked for. */
  run(bench: Bench): Promise<Readonly<Record<string, number>>>
  /** What no server can exceed on this machine, as rows of their own. */
  readonly limits?: readonly Limit[]
}

/** The same work without a server. */
export interface Limit {
  readonly name: string
  run(): Promise<Readonly<Record<string, number>>>
}

/** Without a server: what a device does alone. */
export interface LocalWorkload extends Described {
  readonly alone: readonly (Measured & { run(): Promise<Readonly<Record<string, number>>> })[]
}

/** A server of one peer, and its devices, which are in this process. */
export interface Bench {
  readonly peer: Peer
  readonly server: ServerProcess
  device(given?: { readonly port?: number; readonly person?: string }): Promise<Device>
  /** Devices that do not come back. */
  closeDevices(): Promise<void>
}

export async function runOnce(workload: Workload, peer: Peer): Promise<Readonly<Record<string, number>>> {
  await using server = await startServer((given) => peer.program(given), workload)
  const devices: Device[] = []
  async function closeDevices(): Promise<void> {
    for (const device of devices.splice(0)) await device.close().catch(() => {})
  }
  try {
    return await workload.run({
      peer,
      server,
      device: async ({ port = server.port, person } = {}) => {
        const device = await peer.connect(port, person)
        devices.push(device)
        return device
      },
      closeDevices,
    })
  } finally {
    await closeDevices()
  }
}

/** Opens one document on several devices, the first of which has made it. */
export async function shared(bench: Bench, count: number): Promise<readonly [Doc, ...Doc[]]> {
  const first = await (await bench.device()).create()
  const others: Doc[] = []
  for (let index = 1; index < count; index++) others.push(await (await bench.device()).open(first.name))
  return [first, ...others]
}
