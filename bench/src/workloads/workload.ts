import { type ServerProcess, startServer } from '../lib/process.ts'
import type { Device, Doc, Peer } from '../peers/peer.ts'

/** A figure's unit, and how many digits are shown. */
export type Unit = 'ms' | 's' | 'a second' | 'bytes' | 'kB' | 'edits'

export interface Workload {
  readonly name: string
  /** What is done, in a sentence or two. */
  readonly what: string
  readonly figures: Readonly<Record<string, Unit>>
  /** How often it is done with each peer, one peer after another. The medians count. */
  readonly rounds: number
  /** Peers that it says nothing about. */
  takes?(peer: Peer): boolean
  /** Does it once, on a server of its own. Rejects if the peer does not do what it is asked for. */
  run(bench: Bench): Promise<Readonly<Record<string, number>>>
}

/** A server of one peer, and its devices, which are in this process. */
export interface Bench {
  readonly peer: Peer
  readonly server: ServerProcess
  device(port?: number): Promise<Device>
  /** Devices that do not come back. */
  closeDevices(): Promise<void>
}

export async function runOnce(workload: Workload, peer: Peer): Promise<Readonly<Record<string, number>>> {
  await using server = await startServer((given) => peer.program(given))
  const devices: Device[] = []
  async function closeDevices(): Promise<void> {
    for (const device of devices.splice(0)) await device.close().catch(() => {})
  }
  try {
    return await workload.run({
      peer,
      server,
      device: async (port = server.port) => {
        const device = await peer.connect(port)
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
