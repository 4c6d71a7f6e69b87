import { pause } from '../lib/until.ts'
import { shared, type Workload } from './workload.ts'

const kills = 5
const editsEach = 200

export const kill: Workload = {
  name: 'kill',
  what: `One writes ${editsEach} edits, 2 ms apart, another reads; then the server's process is killed, and both devices are lost. How many edits that the reader had seen are gone when the server is back? ${kills} times.`,
  figures: { seen: 'edits', lost: 'edits' },
  rounds: 1,
  takes: (peer) => peer.keepsNothing !== true,
  run: async (bench) => {
    let [seen, lost] = [0, 0]
    for (let time = 0; time < kills; time++) {
      const [writer, reader] = await shared(bench, 2)
      if (reader === undefined) throw new Error('nobody reads')
      for (let at = 0; at < editsEach; at++) {
        writer.set(`k${at}`, `text ${at}`)
        await pause(2)
      }
      const had = Array.from({ length: editsEach }, (_, at) => `k${at}`).filter(
        (key) => reader.get(key) !== undefined,
      )
      await bench.server.kill()
      // Whoever wrote or read it would bring it back: they do not return.
      await Promise.all([writer.close(), reader.close()])
      await bench.closeDevices()
      await bench.server.start()
      const newcomer = await Promise.race([(await bench.device()).open(writer.name), pause(5_000)])
      await pause(200)
      const has = (key: string): boolean => newcomer !== undefined && newcomer.get(key) !== undefined
      seen += had.length
      lost += had.filter((key) => !has(key)).length
    }
    return { seen, lost }
  },
}
