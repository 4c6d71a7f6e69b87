import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { randomHexId } from '@t69/protocol'
import type { Database } from 'better-sqlite3'
import { sql } from 'kysely'

import { prepareQuery } from './prepare-query.ts'

/**
 * Notices that `platform.sqlite` was put back as an older copy had it. Each change of members raises a number in the
 * database, and a small file notes the newest: a database that is behind the file is older. The file is in a folder of its
 * own, so that neither a copy of the database nor one of the files beside it takes it along. Without it, the database
 * counts as restored: logs are asked needlessly, and nothing else happens.
 */
export interface AccountsHistory {
  /** Names what the database has gone through: another random name after each restore. */
  readonly name: string
  /** Notes changes of members in the file. For after each commit, and after another program's. */
  noteChanges(): void
}

export function createAccountsHistory(db: Database, dataDir: string): AccountsHistory {
  const path = join(dataDir, 'marks', 'accounts')
  const selectName = prepareQuery(db, (q, _given: object) => q.selectFrom('accounts_history').select('name'))
  const upsertName = prepareQuery(db, (q, given: { name: string }) =>
    q
      .insertInto('accounts_history')
      .values({ id: sql.lit(1), name: given.name })
      .onConflict((conflict) => conflict.column('id').doUpdateSet({ name: given.name })),
  )
  // Unlike the rows, it does not go back when a space is deleted.
  const selectNumber = prepareQuery(db, (q, _given: object) =>
    q.selectFrom('sqlite_sequence').select('seq').where('name', '=', sql.lit('access_ids')),
  )
  const numberOf = (): number => selectNumber.get({})?.seq ?? 0
  const storedName = (): string | undefined => selectName.get({})?.name

  let name = storedName() ?? ''
  let number = numberOf()
  const noted = readNote()
  if (noted?.name === name && noted.number <= number) note()
  else begin()

  function readNote(): { readonly name: string; readonly number: number } | undefined {
    try {
      const [notedName, notedNumber] = readFileSync(path, 'utf8').split(' ')
      return notedName && notedNumber ? { name: notedName, number: Number(notedNumber) } : undefined
    } catch {
      return undefined
    }
  }

  function note(): void {
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      writeFileSync(`${path}.new`, `${name} ${number}`)
      renameSync(`${path}.new`, path)
    } catch {
      forget()
    }
  }

  /** An old note would not show that a copy is older. No note is on the safe side. */
  function forget(): void {
    try {
      rmSync(path, { force: true })
    } catch {
      // Somebody has made the folder read-only, and the note stays as it is.
    }
  }

  function begin(): void {
    name = randomHexId()
    number = numberOf()
    try {
      upsertName.run({ name })
    } catch {
      // Nothing can be written. The next start finds another name in the file, and begins once more.
    }
    note()
  }

  return {
    get name() {
      return name
    },
    noteChanges() {
      const now = numberOf()
      if (now < number || storedName() !== name) return begin()
      if (now === number) return
      number = now
      note()
    },
  }
}
