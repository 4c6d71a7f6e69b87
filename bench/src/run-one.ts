import { useMemory } from './lib/folder.ts'
import { peers } from './peers/index.ts'
import { workloads } from './workloads/index.ts'
import { runOnce } from './workloads/workload.ts'

/** One run of one workload with one peer, in a process that can be ended: prints the figures as a line of JSON. */

const [workloadName, peerName, where] = process.argv.slice(2)
const workload = workloads.find(({ name }) => name === workloadName)
const peer = peers.find(({ name }) => name === peerName)
if (workload === undefined || peer === undefined) throw new Error('run-one takes a workload and a peer')
if (where === 'in-memory') useMemory()
const figures = await runOnce(workload, peer)
process.stdout.write(`\n${JSON.stringify(figures)}\n`, () => process.exit())
