import type { OpLogs } from './op-log.ts'

export interface SqliteOpLogsOptions {
  /** Each space is `<dataDir>/<first two characters>/<space id>.db`. */
  readonly dataDir: string
  /** `full` (the default): a commit survives power loss. `normal`: it survives the process. */
  readonly synchronous?: 'full' | 'normal'
}

export function createSqliteOpLogs(_options: SqliteOpLogsOptions): OpLogs {
  throw new Error('not yet')
}
