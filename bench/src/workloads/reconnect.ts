import { countBytes } from '../lib/counting-proxy.ts'
import { pause, until } from '../lib/until.ts'
import type { Workload } from './workload.ts'

const before = 1_000
const missed = 100
const roundTripMs = 100

export const reconnect: Workload = {
  name: 'reconnect',
  what: `A device has a document of ${before} texts, and loses the network while another makes ${missed} edits. On a line with a round trip of ${roundTripMs} ms, from its connection on until it has them: the bytes in both directions, and the time.`,
  figures: { 'bytes in all': 'bytes', 'of them received': 'bytes', 'current after': 'ms' },
  rounds: 3,
  takes: (peer) => peer.passesOn !== true,
  run: async (bench) => {
    const writer = await (await bench.device()).create()
    for (let at = 0; at < before; at++) writer.set(`k${at}`, `text ${at}`)
    await writer.acked()
    await using line = await countBytes(bench.server.port, { delayMs: roundTripMs / 2 })
    const away = await (await bench.device(line)).open(writer.name)
    await until('it has what was there before', () => away.size() === before)
    await line.cut()
    for (let at = before; at < before + missed; at++) {
      writer.set(`k${at}`, `text ${at}`)
      await pause(2)
    }
    await writer.acked()
    const witness = await (await bench.device()).open(writer.name)
    await until('the server has all', () => witness.size() === before + missed)
    if (away.size() !== before) throw new Error('it was not away')
    // Each client comes back when it finds right.
    await line.restore()
    const connected = performance.now()
    await until('it is current', () => away.size() === before + missed)
    return {
      'bytes in all': line.received() + line.sent(),
      'of them received': line.received(),
      'current after': performance.now() - connected,
    }
  },
}
