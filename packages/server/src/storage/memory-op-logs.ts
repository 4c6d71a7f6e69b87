import type { OpLogs } from './op-log.ts'

export function createMemoryOpLogs(): OpLogs {
  throw new Error('not yet')
}
