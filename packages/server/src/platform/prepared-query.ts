import type { Database } from 'better-sqlite3'
import type { Compilable, InferResult, Kysely } from 'kysely'

import { compiler } from '../storage/compiler.ts'
import type { PlatformTables } from './platform-database.ts'

/** Stands for a parameter while Kysely compiles, so that its place in the SQL is known afterwards. */
class Placeholder {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

export interface PreparedQuery<Parameters, Row> {
  get(parameters: Parameters): Row | undefined
  all(parameters: Parameters): Row[]
  /** How many rows it changed. */
  run(parameters: Parameters): number
}

type RowOf<Query extends Compilable<unknown>> =
  Query extends Compilable<infer Output> ? InferResult<Compilable<Output>>[number] : never

/**
 * Writes a statement with Kysely, prepares it once, and runs it synchronously: roles are asked for on every
 * event, and a prepared look-up takes microseconds. `build` is called once, with stand-ins for the values:
 * it may place them and must not look at them.
 *
 *     const byId = prepareQuery(db, (q, given: { id: UserId }) =>
 *       q.selectFrom('users').selectAll().where('id', '=', given.id))
 *     byId.get({ id })
 */
export function prepareQuery<Parameters extends object, Query extends Compilable<unknown>>(
  db: Database,
  build: (query: Kysely<PlatformTables>, given: Parameters) => Query,
): PreparedQuery<Parameters, RowOf<Query>> {
  const given = new Proxy({}, { get: (_, name) => new Placeholder(String(name)) }) as Parameters
  const compiled = build(compiler as Kysely<unknown> as Kysely<PlatformTables>, given).compile()
  const statement = db.prepare<unknown[], RowOf<Query>>(compiled.sql)
  const bind = (parameters: Parameters): unknown[] => {
    const values = new Map<string, unknown>(Object.entries(parameters))
    return compiled.parameters.map((value) => (value instanceof Placeholder ? values.get(value.name) : value))
  }
  return {
    get: (parameters) => statement.get(...bind(parameters)),
    all: (parameters) => statement.all(...bind(parameters)),
    run: (parameters) => statement.run(...bind(parameters)).changes,
  }
}
