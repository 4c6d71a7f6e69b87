import { createMemoryOpLogs } from './memory-op-logs.ts'
import { describeOpLogs } from './op-log.contract.ts'

describeOpLogs('memory', createMemoryOpLogs)
