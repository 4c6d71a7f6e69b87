import type { Database } from 'better-sqlite3'
import type { Compilable, InferResult, Kysely } from 'kysely'

import { compiler } from '../sqlite/compiler.ts'
import { param, prepare } from '../sqlite/prepare.ts'
import type { PlatformTables } from './platform-database.ts'

// The tables are an interface, which `withTables` does not take.
const query: Kysely<unknown> = compiler
const platformCompiler = query as Kysely<PlatformTables>

export interface PreparedQuery<Parameters, Row> {
  get(parameters: Parameters): Row | undefined
  all(parameters: Parameters): Row[]
  /** How many rows it changed. */
  run(parameters: Parameters): number
}

type RowOf<Query extends Compilable> =
  Query extends Compilable<infer Output> ? InferResult<Compilable<Output>>[number] : never

/**
 * Writes a statement with Kysely, prepares it once, and runs it synchronously: roles are asked for on every
 * event, and a prepared look-up takes microseconds. `build` is called once, with stand-ins for the values:
 * it may place them and must not look at them. Constants are written as `sql.lit`.
 *
 *     const byId = prepareQuery(db, (q, given: { id: UserId }) =>
 *       q.selectFrom('users').selectAll().where('id', '=', given.id))
 *     byId.get({ id })
 */
export function prepareQuery<Parameters extends object, Query extends Compilable>(
  db: Database,
  build: (query: Kysely<PlatformTables>, given: Parameters) => Query,
): PreparedQuery<Parameters, RowOf<Query>> {
  const given = new Proxy({}, { get: (_, name) => param(String(name)) }) as Parameters
  const statement = prepare<Parameters, unknown>(db, build(platformCompiler, given))
  return {
    get: (parameters) => statement.get(parameters) as RowOf<Query> | undefined,
    all: (parameters) => statement.all(parameters) as RowOf<Query>[],
    run: (parameters) => statement.run(parameters).changes,
  }
}
