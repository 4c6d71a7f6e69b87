import { peers } from './peers/index.ts'
import { workloads } from './workloads/index.ts'
import { runOnce } from './workloads/workload.ts'

/** One run of one workload with one peer, in a process that can be ended: prints the figures as a line of JSON. */

const [workloadName, name] = process.argv.slice(2)
const figures = await run()
process.stdout.write(`\n${JSON.stringify(figures)}\n`, () => process.exit())

async function run(): Promise<Readonly<Record<string, number>>> {
  const workload = workloads.find((one) => one.name === workloadName)
  if (workload !== undefined && 'alone' in workload) {
    const subject = workload.alone.find((one) => one.name === name)
    if (subject !== undefined) return await subject.run()
  } else if (workload !== undefined) {
    const peer = peers.find((one) => one.name === name)
    if (peer !== undefined) return await runOnce(workload, peer)
  }
  throw new Error('run-one takes a workload and whom it measures')
}
