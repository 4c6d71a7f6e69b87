import type { Database, Statement } from 'better-sqlite3'
import type { Compilable } from 'kysely'

import { createQueries, type QueryWriter, type RowOf } from '../sqlite/query.ts'
import type { PlatformTables } from './platform-database.ts'

const query = createQueries<PlatformTables>()

/** A statement over the platform's tables, prepared on its database: see `createQueries`. */
export function prepareQuery<Params extends object, Built extends Compilable>(
  db: Database,
  build: (writer: QueryWriter<PlatformTables>, given: Params) => Built,
): Statement<[Params], RowOf<Built>> {
  return query(build)(db)
}
