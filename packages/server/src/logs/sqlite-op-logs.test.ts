import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import Database from 'better-sqlite3'
import { afterAll, expect, test } from 'vitest'

import { appendTo, newEpoch, setOp, spaceId } from '../testing/ops.ts'
import { describeOpLogs } from './op-log.contract.ts'
import type { OpLogs } from './op-log.ts'
import { rowByOp } from './op-row.ts'
import { spaceQueries } from './space-queries.ts'
import { createSqliteOpLogs } from './sqlite-op-logs.ts'

const root = mkdtempSync(join(tmpdir(), 't69-'))

afterAll(() => rmSync(root, { recursive: true }))

describeOpLogs('SQLite', () => createSqliteOpLogs({ dataDir: mkdtempSync(join(root, 'data-')) }))

/** Settles after each commit all but the newest operations. */
function settlingAtOnce(opLogs: OpLogs): OpLogs {
  return {
    ...opLogs,
    open: (id, epoch) => {
      const log = opLogs.open(id, epoch)
      const append = log.append.bind(log)
      return Object.defineProperty(log, 'append', {
        value: (...given: Parameters<typeof append>) => {
          const appended = append(...given)
          while (log.isUnsettled) log.settle()
          return appended
        },
      })
    },
  }
}

describeOpLogs('SQLite whose operations all settle', () => {
  const settling = { keepOps: 0, minOps: 1, maxOps: 3 }
  return settlingAtOnce(createSqliteOpLogs({ dataDir: mkdtempSync(join(root, 'data-')), settling }))
})
describeOpLogs('SQLite whose newest operation is a row', () => {
  const settling = { keepOps: 1, minOps: 1, maxOps: 1_000 }
  return settlingAtOnce(createSqliteOpLogs({ dataDir: mkdtempSync(join(root, 'data-')), settling }))
})

test('comparing with a large value reads it only when both are equally long', () => {
  const dataDir = mkdtempSync(join(root, 'data-'))
  const large = 'x'.repeat(500_000)
  const opLogs = createSqliteOpLogs({ dataDir, synchronous: 'normal' })
  const log = opLogs.open(spaceId, newEpoch())
  appendTo(log, [setOp(1, large)])
  log.close()

  const path = join(dataDir, spaceId.slice(0, 2), `${spaceId}.db`)
  const bytes = readFileSync(path)
  const pageBytes = bytes.readUInt16BE(16)
  // An overflow page begins with the number of the next one. Break every chain.
  const isOverflow = (at: number): boolean => bytes.toString('latin1', at + 4, at + 104) === 'x'.repeat(100)
  for (let at = 0; at < bytes.length; at += pageBytes) if (isOverflow(at)) bytes.writeUInt32BE(2 ** 31, at)
  writeFileSync(path, bytes)
  const db = new Database(path, { readonly: true })
  const compare = (value: string) => spaceQueries.compareOp(db).get(rowByOp(setOp(1, value)))
  expect(compare('small')).toMatchObject({ isSame: 0 })
  expect(compare(`${large}y`)).toMatchObject({ isSame: 0 })
  expect(() => compare(`y${large.slice(1)}`)).toThrow('malformed')
  db.close()
})
