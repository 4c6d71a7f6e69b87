import type { Database } from 'better-sqlite3'
import { sql } from 'kysely'

import { addressChangeTtlMs } from './address-changes.ts'
import { inviteTtlMs } from './invites.ts'
import { mailedLinkTtlMs, passwordLinkTtlMs } from './password-links.ts'
import { prepareQuery } from './prepare-query.ts'

/** The times in `platform.sqlite`, as far as the server's clock depends on them, and they on it. Unix milliseconds. */
export interface StoredTimes {
  /** The time that the last process stored, or else the newest of any row. Undefined for a new database. */
  newest(): number | undefined
  /** Stores the time. */
  note(now: number): void
  /**
   * Stores that the server's clock was set, in one transaction with the ends of sessions, invites and links, so that none
   * ends by it. Ahead, those that have not ended are postponed by as much. Back, none lasts longer than a new one.
   */
  moved(clock: { readonly from: number; readonly to: number }): void
}

export function createStoredTimes(
  db: Database,
  { refreshTokenTtlMs }: { readonly refreshTokenTtlMs: number },
): StoredTimes {
  const select = prepareQuery(db, (q, _given: object) => q.selectFrom('server_clock').select('time'))
  const upsert = prepareQuery(db, (q, given: { now: number }) =>
    q
      .insertInto('server_clock')
      .values({ id: sql.lit(1), time: given.now })
      .onConflict((conflict) => conflict.column('id').doUpdateSet({ time: given.now })),
  )
  // Ends are postponed by every use, so a beginning says more about when the server ran than an end.
  const selectTimes = prepareQuery(db, (q, _given: object) =>
    q
      .selectFrom('users')
      .select('created_at as time')
      .unionAll(q.selectFrom('sessions').select('rotated_at as time'))
      .unionAll(q.selectFrom('spaces').select('created_at as time'))
      .unionAll(q.selectFrom('members').select('joined_at as time'))
      .unionAll(q.selectFrom('invites').select('created_at as time'))
      .orderBy('time', 'desc')
      .limit(sql.lit(1)),
  )
  const postponeSessions = prepareQuery(db, (q, given: { from: number; by: number }) =>
    q
      .updateTable('sessions')
      .set((eb) => ({
        expires_at: eb('expires_at', '+', given.by),
        rotated_at: eb('rotated_at', '+', given.by),
      }))
      .where('expires_at', '>', given.from),
  )
  const postponeInvites = prepareQuery(db, (q, given: { from: number; by: number }) =>
    q
      .updateTable('invites')
      .set((eb) => ({ expires_at: eb('expires_at', '+', given.by) }))
      .where('expires_at', '>', given.from),
  )
  const postponeServerInvites = prepareQuery(db, (q, given: { from: number; by: number }) =>
    q
      .updateTable('server_invites')
      .set((eb) => ({ expires_at: eb('expires_at', '+', given.by) }))
      .where('expires_at', '>', given.from),
  )
  const postponeLinks = prepareQuery(db, (q, given: { from: number; by: number }) =>
    q
      .updateTable('password_links')
      .set((eb) => ({ expires_at: eb('expires_at', '+', given.by) }))
      .where('expires_at', '>', given.from),
  )
  const postponeAddressChanges = prepareQuery(db, (q, given: { from: number; by: number }) =>
    q
      .updateTable('address_changes')
      .set((eb) => ({ expires_at: eb('expires_at', '+', given.by) }))
      .where('expires_at', '>', given.from),
  )
  const cutSessions = prepareQuery(db, (q, given: { end: number }) =>
    q.updateTable('sessions').set({ expires_at: given.end }).where('expires_at', '>', given.end),
  )
  const cutRotations = prepareQuery(db, (q, given: { now: number }) =>
    q.updateTable('sessions').set({ rotated_at: given.now }).where('rotated_at', '>', given.now),
  )
  const cutInvites = prepareQuery(db, (q, given: { end: number }) =>
    q.updateTable('invites').set({ expires_at: given.end }).where('expires_at', '>', given.end),
  )
  const cutServerInvites = prepareQuery(db, (q, given: { end: number }) =>
    q.updateTable('server_invites').set({ expires_at: given.end }).where('expires_at', '>', given.end),
  )
  const cutLinks = prepareQuery(db, (q, given: { end: number; byMail: number }) =>
    q
      .updateTable('password_links')
      .set({ expires_at: given.end })
      .where('expires_at', '>', given.end)
      .where('by_mail', '=', given.byMail),
  )
  // Those that were mailed of late are counted.
  const cutLinkBeginnings = prepareQuery(db, (q, given: { now: number }) =>
    q.updateTable('password_links').set({ created_at: given.now }).where('created_at', '>', given.now),
  )
  const cutAddressChanges = prepareQuery(db, (q, given: { end: number }) =>
    q.updateTable('address_changes').set({ expires_at: given.end }).where('expires_at', '>', given.end),
  )

  const moved = db.transaction((from: number, to: number) => {
    const by = to - from
    if (by > 0) {
      postponeSessions.run({ from, by })
      postponeInvites.run({ from, by })
      postponeServerInvites.run({ from, by })
      postponeLinks.run({ from, by })
      postponeAddressChanges.run({ from, by })
    } else {
      cutSessions.run({ end: to + refreshTokenTtlMs })
      cutRotations.run({ now: to })
      cutInvites.run({ end: to + inviteTtlMs })
      cutServerInvites.run({ end: to + inviteTtlMs })
      cutLinks.run({ end: to + passwordLinkTtlMs, byMail: 0 })
      cutLinks.run({ end: to + mailedLinkTtlMs, byMail: 1 })
      cutLinkBeginnings.run({ now: to })
      cutAddressChanges.run({ end: to + addressChangeTtlMs })
    }
    upsert.run({ now: to })
  })

  return {
    newest: () => (select.get({}) ?? selectTimes.get({}))?.time,
    note: (now) => void upsert.run({ now: Math.round(now) }),
    moved: ({ from, to }) => moved.immediate(Math.round(from), Math.round(to)),
  }
}
