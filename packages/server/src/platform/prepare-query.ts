import type { Database, RunResult } from 'better-sqlite3'
import type { Compilable } from 'kysely'

import { createQueries, type QueryWriter, type RowOf } from '../sqlite/query.ts'
import type { PlatformTables } from './platform-database.ts'
import { noticing } from './spoilt-database.ts'

const query = createQueries<PlatformTables>()

/** A statement over the platform's tables. Each call notices if the database is spoilt: see `spoiltBy`. */
export interface PlatformStatement<Params extends object, Row> {
  get(params: Params): Row | undefined
  all(params: Params): Row[]
  run(params: Params): RunResult
}

/** Prepares a statement on the platform's database: see `createQueries`. */
export function prepareQuery<Params extends object, Built extends Compilable>(
  db: Database,
  build: (writer: QueryWriter<PlatformTables>, given: Params) => Built,
): PlatformStatement<Params, RowOf<Built>> {
  const statement = query(build)(db)
  return {
    get: (params) => noticing(db, () => statement.get(params)),
    all: (params) => noticing(db, () => statement.all(params)),
    run: (params) => noticing(db, () => statement.run(params)),
  }
}
