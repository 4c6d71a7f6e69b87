import { pause } from '../lib/until.ts'
import { shared, type Workload } from './workload.ts'

const kills = 5
const editsEach = 200

export const kill: Workload = {
  name: 'kill',
  what: `One writes ${editsEach} edits, 2 ms apart, another reads; then the server's process is killed, and both devices are lost. How many edits that the reader had seen, or the writer had an ack for, are gone when the server is back? ${kills} times.`,
  figures: { seen: 'edits', 'lost of them': 'edits', acknowledged: 'edits', 'lost of these': 'edits' },
  rounds: 1,
  takes: (peer) => peer.passesOn !== true,
  run: async (bench) => {
    let [seen, lostSeen, acked, lostAcked] = [0, 0, 0, 0]
    for (let time = 0; time < kills; time++) {
      const [writer, reader] = await shared(bench, 2)
      if (reader === undefined) throw new Error('nobody reads')
      let done = 0
      for (let at = 0; at < editsEach; at++) {
        writer.set(`k${at}`, `text ${at}`)
        const noteAck = (): void => {
          done = Math.max(done, at + 1)
        }
        void writer.acked().then(noteAck, () => {})
        await pause(2)
      }
      const had = Array.from({ length: editsEach }, (_, at) => `k${at}`).filter(
        (key) => reader.get(key) !== undefined,
      )
      const ackedKeys = Array.from({ length: done }, (_, at) => `k${at}`)
      await bench.server.kill()
      // Whoever wrote or read it would bring it back: they do not return.
      await Promise.all([writer.close(), reader.close()])
      await bench.closeDevices()
      await bench.server.start()
      const newcomer = await Promise.race([(await bench.device()).open(writer.name), pause(5_000)])
      await pause(200)
      const has = (key: string): boolean => newcomer !== undefined && newcomer.get(key) !== undefined
      seen += had.length
      lostSeen += had.filter((key) => !has(key)).length
      acked += ackedKeys.length
      lostAcked += ackedKeys.filter((key) => !has(key)).length
    }
    const ofSeen = { seen, 'lost of them': lostSeen }
    return bench.peer.ack === 'none' ? ofSeen : { ...ofSeen, acknowledged: acked, 'lost of these': lostAcked }
  },
}
