import { forEachOf } from '../lib/at-once.ts'
import { until } from '../lib/until.ts'
import type { Device } from '../peers/peer.ts'
import type { Workload } from './workload.ts'

const documents = 10_000
const people = 20
/** Who would need longer to make them is not waited for, in seconds. */
const longestS = 150
const triedForS = 15
/** Documents that are looked into at the end. */
const sample = 20

export const manyDocuments: Workload = {
  name: 'many-documents',
  what: `${documents} documents with a text in each, of ${people} people if the server knows people. Then the server is started anew, and one device opens one of them.`,
  figures: {
    'made in': 's',
    'started in': 'ms',
    'memory then': 'MB',
    'one opened in': 'ms',
    'memory with it': 'MB',
    'on the disk': 'MB',
  },
  rounds: 1,
  deadlineS: 200,
  takes: (peer) => peer.passesOn !== true,
  run: async (bench) => {
    const { server } = bench
    const deviceOf = (index: number): Promise<Device> => bench.device({ person: `person-${index % people}` })
    const devices: Device[] = []
    for (let index = 0; index < people; index++) devices.push(await deviceOf(index))
    const names: string[] = []
    const begun = performance.now()
    await forEachOf(documents, people, async (index) => {
      const seconds = (performance.now() - begun) / 1000
      const needed = (seconds * documents) / index
      if (seconds > triedForS && needed > longestS) {
        throw new Error(`${documents} documents would take ${needed.toFixed(0)} s to make`)
      }
      const doc = await devices[index % people]?.create()
      doc?.set('k', `text ${index}`)
      await doc?.acked()
      await doc?.close()
      names[index] = doc?.name ?? ''
    })
    const made = performance.now() - begun
    await bench.closeDevices()
    await server.stop()
    const starting = performance.now()
    await server.start()
    const started = performance.now() - starting
    const { resident: idle } = await server.memory()

    async function look(index: number): Promise<number> {
      const device = await deviceOf(index)
      const opening = performance.now()
      const doc = await device.open(names[index] ?? '')
      await until(`document ${index} has its text`, () => doc.get('k') === `text ${index}`)
      return performance.now() - opening
    }
    const opened = await look(0)
    const { resident: withOne } = await server.memory()
    for (let at = 1; at < sample; at++) await look(Math.floor((at * documents) / sample))
    return {
      'made in': made / 1000,
      'started in': started,
      'memory then': idle / 1e6,
      'one opened in': opened,
      'memory with it': withOne / 1e6,
      'on the disk': (await server.disk()) / 1e6,
    }
  },
}
