import type { Database, Statement } from 'better-sqlite3'
import {
  type Compilable,
  type InferResult,
  type InsertObject,
  type InsertQueryBuilder,
  type InsertResult,
  type Kysely,
  sql,
} from 'kysely'

import { createCompiler } from './compiler.ts'

/** A compiled statement: prepares its text on a database. */
export type Query<Params extends object, Row> = (db: Database) => Statement<[Params], Row>

/** Writes statements over `Schema`: Kysely, except that an insert names every column of its table. */
export interface QueryWriter<Schema> extends Pick<
  Kysely<Schema>,
  'selectFrom' | 'updateTable' | 'deleteFrom'
> {
  /** Kysely itself lets a nullable column be forgotten. */
  insertInto<Table extends keyof Schema & string>(
    table: Table,
  ): {
    values(
      row: InsertObject<Schema, Table> & EveryColumn<Schema[Table]>,
    ): InsertQueryBuilder<Schema, Table, InsertResult>
  }
}

type EveryColumn<Row> = { readonly [Column in keyof Row]: unknown }

/** The row type of a statement. */
export type RowOf<Built extends Compilable> =
  Built extends Compilable<infer Output> ? InferResult<Compilable<Output>>[number] : never

/**
 * Compiles statements over `Schema`, with Kysely, once for the program. Parameters and rows are inferred. `build`
 * is called with stand-ins for the parameters: it places them, and must not look at them. Constants are `sql.lit`.
 *
 *     const query = createQueries<PlatformTables>()
 *     const byId = query((q, given: { id: UserId }) =>
 *       q.selectFrom('users').select(['id', 'name']).where('id', '=', given.id))
 *     const statement = byId(db) // prepared once for each open file
 *     statement.get({ id })?.name
 */
export function createQueries<Schema>() {
  const writer: QueryWriter<Schema> = createCompiler<Schema>()
  return <Params extends object, Built extends Compilable>(
    build: (writer: QueryWriter<Schema>, given: Params) => Built,
  ): Query<Params, RowOf<Built>> => {
    // Each stand-in is the SQL of a parameter bound by its name. Kysely takes that wherever it takes a value, and
    // `build` does nothing with a value but hand it to Kysely.
    const given = new Proxy({}, { get: (_, name) => sql.raw(`@${String(name)}`) }) as Params
    const { sql: text, parameters } = build(writer, given).compile()
    if (parameters.length > 0) {
      throw new Error(`neither a parameter nor sql.lit: ${parameters.join(', ')} in ${text}`)
    }
    return (db) => db.prepare<[Params], RowOf<Built>>(text)
  }
}

type Prepared<Queries> = {
  [Name in keyof Queries]: Queries[Name] extends (db: Database) => infer Statement ? Statement : never
}

/**
 * The statements of a table of queries, under their names. Each is prepared when it is used first: it takes some 50 µs and
 * 5 kB, and most uses of a file take few of them.
 */
export function prepareWhenUsed<Queries extends Record<string, (db: Database) => unknown>>(
  db: Database,
  queries: Queries,
): Prepared<Queries> {
  const prepared = new Map<string | symbol, unknown>()
  const handler: ProxyHandler<object> = {
    get: (_, name) => {
      let statement = prepared.get(name)
      if (statement === undefined) prepared.set(name, (statement = queries[String(name)]?.(db)))
      return statement
    },
  }
  // It has what `queries` has, under the same names.
  return new Proxy({}, handler) as Prepared<Queries>
}

/** Prepares each query of a table, under its name. */
export function prepareAll<Queries extends Record<string, (db: Database) => unknown>>(
  db: Database,
  queries: Queries,
): Prepared<Queries> {
  const prepared = Object.entries(queries).map(([name, prepare]) => [name, prepare(db)])
  // The entries are those of `queries`, under the same names.
  return Object.fromEntries(prepared) as Prepared<Queries>
}
