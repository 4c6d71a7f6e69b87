import { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely'

/**
 * Kysely as a typed writer of SQL: it compiles statements and never runs one. better-sqlite3 prepares each once and
 * runs it synchronously, which is many times faster than awaiting each through Kysely.
 */
export function createCompiler<Schema>(): Kysely<Schema> {
  return new Kysely<Schema>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  })
}

/** For statements that no schema type describes, such as migrations. */
export const compiler: Kysely<unknown> = createCompiler<unknown>()
