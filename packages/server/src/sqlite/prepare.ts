import type { Database, Statement } from 'better-sqlite3'
import { type Compilable, type RawBuilder, sql } from 'kysely'

/** A value that is bound at each run, by name. */
export function param<T>(name: string): RawBuilder<T> {
  return sql<T>`${sql.raw(`@${name}`)}`
}

/** Prepares a query's text on a database. */
export type PrepareQuery<Params extends object, Row> = (db: Database) => Statement<[Params], Row>

/** Compiles a query, once; `Params` names its `param`s. Constants are written as `sql.lit`. */
export function compileQuery<Params extends object, Row>(query: Compilable<Row>): PrepareQuery<Params, Row> {
  const { sql: text, parameters } = query.compile()
  if (parameters.length > 0)
    throw new Error(`neither a param nor sql.lit: ${parameters.join(', ')} in ${text}`)
  return (db) => db.prepare<[Params], Row>(text)
}

/** For a query that one database needs once. */
export function prepare<Params extends object, Row>(
  db: Database,
  query: Compilable<Row>,
): Statement<[Params], Row> {
  return compileQuery<Params, Row>(query)(db)
}

type Prepared<Queries> = {
  [Name in keyof Queries]: Queries[Name] extends (db: Database) => infer Prepared ? Prepared : never
}

export function prepareAll<Queries extends Record<string, (db: Database) => unknown>>(
  db: Database,
  queries: Queries,
): Prepared<Queries> {
  const prepared = Object.entries(queries).map(([name, prepare]) => [name, prepare(db)])
  // The entries are those of `queries`, under the same names.
  return Object.fromEntries(prepared) as Prepared<Queries>
}
