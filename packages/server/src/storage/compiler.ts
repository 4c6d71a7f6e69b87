import { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely'

/**
 * Kysely as a typed writer of SQL: it compiles statements and never runs one. Whoever needs it for a schema
 * narrows it with `withSchemaOf`. The statements run synchronously, prepared once by better-sqlite3.
 */
export const compiler = new Kysely<unknown>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
})
