import Database from 'better-sqlite3'
import { sql } from 'kysely'
import { expect, it } from 'vitest'

import { createQueries, prepareAll, prepareWhenUsed } from './query.ts'

interface Tables {
  notes: { id: number; text: string; tag: string | null }
}
interface Note {
  readonly id: number
  readonly text: string
  readonly tag: string | null
}

const query = createQueries<Tables>()

const insert = query((q, given: Note) =>
  q.insertInto('notes').values({ id: given.id, text: given.text, tag: given.tag }),
)
const tagged = query((q, given: { tag: string }) =>
  q.selectFrom('notes').select(['id', 'text']).where('tag', '=', given.tag).where('id', '<', sql.lit(10)),
)

it('binds parameters by name, and reads rows', () => {
  const db = new Database(':memory:')
  db.exec('create table notes (id integer primary key, text text not null, tag text)')
  const notes = prepareWhenUsed(db, { insert, tagged })
  notes.insert.run({ id: 1, text: 'one', tag: null })
  notes.insert.run({ id: 2, text: 'two', tag: 'a' })
  notes.insert.run({ id: 12, text: 'twelve', tag: 'a' })
  expect(notes.tagged.all({ tag: 'a' })).toEqual([{ id: 2, text: 'two' }])
  db.close()
})

it('prepares a statement when it is used first, once, or all at once', () => {
  const db = new Database(':memory:')
  let prepared = 0
  const queries = { one: () => ++prepared, two: () => ++prepared }
  const lazily = prepareWhenUsed(db, queries)
  expect(prepared).toBe(0)
  expect([lazily.two, lazily.two, prepared]).toEqual([1, 1, 1])
  expect(prepareAll(db, queries)).toEqual({ one: 2, two: 3 })
  db.close()
})

it('refuses a value that is neither a parameter nor a constant', () => {
  expect(() => query((q) => q.selectFrom('notes').select('id').where('id', '=', 7))).toThrow(/neither .* 7/)
})

// The compiler runs these: where it does not complain, the directive is the error.
it('lets no column be forgotten', () => {
  const db = new Database(':memory:')
  db.exec('create table notes (id integer primary key, text text not null, tag text)')
  query((q, given: Note) =>
    // @ts-expect-error: a nullable column is missing.
    q.insertInto('notes').values({ id: given.id, text: given.text }),
  )
  // @ts-expect-error: `tag` is not selected.
  expect(tagged(db).get({ tag: 'a' })?.tag).toBeUndefined()
  // @ts-expect-error: the parameter is missing.
  expect(() => tagged(db).get({})).toThrow(/tag/)
  db.close()
})
