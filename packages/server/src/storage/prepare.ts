import type { Database, Statement } from 'better-sqlite3'
import { type Compilable, type RawBuilder, sql } from 'kysely'

/** A value that is bound at each run, by name. */
export function param<T>(name: string): RawBuilder<T> {
  return sql<T>`${sql.raw(`@${name}`)}`
}

/** Compiles a query once; `Params` names its `param`s. Constants are written as `sql.lit`. */
export function prepare<Params extends object, Row>(
  db: Database,
  query: Compilable<Row>,
): Statement<[Params], Row> {
  const { sql: text, parameters } = query.compile()
  if (parameters.length > 0)
    throw new Error(`neither a param nor sql.lit: ${parameters.join(', ')} in ${text}`)
  return db.prepare<[Params], Row>(text)
}
