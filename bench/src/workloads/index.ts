import { acks, acksSlowDisk } from './acks.ts'
import { browser } from './browser.ts'
import { coldJoin, history } from './cold-join.ts'
import { connections } from './connections.ts'
import { fanOut } from './fan-out.ts'
import { ingest, ingestSpaces } from './ingest.ts'
import { kill } from './kill.ts'
import { latency } from './latency.ts'
import { manyDocuments } from './many-documents.ts'
import { opens } from './opens.ts'
import { reconnect } from './reconnect.ts'
import { replica } from './replica.ts'
import type { LocalWorkload, Workload } from './workload.ts'

export const workloads: readonly (Workload | LocalWorkload)[] = [
  latency,
  fanOut,
  acks,
  acksSlowDisk,
  ingest,
  ingestSpaces,
  coldJoin,
  history,
  reconnect,
  opens,
  manyDocuments,
  connections,
  kill,
  replica,
  browser,
]
