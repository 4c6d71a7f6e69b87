import { acks } from './acks.ts'
import { coldJoin, history } from './cold-join.ts'
import { connections } from './connections.ts'
import { fanOut } from './fan-out.ts'
import { ingest } from './ingest.ts'
import { kill } from './kill.ts'
import { latency } from './latency.ts'
import { opens } from './opens.ts'
import type { Workload } from './workload.ts'

export const workloads: readonly Workload[] = [
  latency,
  fanOut,
  acks,
  ingest,
  coldJoin,
  history,
  opens,
  connections,
  kill,
]
