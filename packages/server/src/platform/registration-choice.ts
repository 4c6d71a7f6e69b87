import type { RegistrationMode } from '@t69/protocol'
import type { Database } from 'better-sqlite3'
import { sql } from 'kysely'

import { prepareQuery } from './prepare-query.ts'

/** Who may sign up, as the operator has chosen by a command. It counts in place of the setting until it is taken back. */
export interface RegistrationChoice {
  /** Undefined while the setting counts. */
  read(): { readonly mode: RegistrationMode; readonly chosenAt: number } | undefined
  choose(mode: RegistrationMode, now: number): void
  /** The setting counts again. */
  takeBack(): void
}

export function createRegistrationChoice(db: Database): RegistrationChoice {
  const select = prepareQuery(db, (q, _given: object) =>
    q.selectFrom('registration').select(['mode', 'chosen_at as chosenAt']),
  )
  const upsert = prepareQuery(db, (q, given: { mode: RegistrationMode; now: number }) =>
    q
      .insertInto('registration')
      .values({ id: sql.lit(1), mode: given.mode, chosen_at: given.now })
      .onConflict((conflict) =>
        conflict.column('id').doUpdateSet({ mode: given.mode, chosen_at: given.now }),
      ),
  )
  const remove = prepareQuery(db, (q, _given: object) => q.deleteFrom('registration'))

  return {
    read: () => select.get({}),
    choose: (mode, now) => void upsert.run({ mode, now }),
    takeBack: () => void remove.run({}),
  }
}
