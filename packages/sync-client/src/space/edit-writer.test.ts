import type { TreeOperation } from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import { op, spaceId } from '../machine/testing/machine-world.ts'
import { createManualTime, turns } from '../runtime/testing/manual-time.ts'
import { createEditWriter } from './edit-writer.ts'

function setUp() {
  const time = createManualTime()
  const disk: number[][] = []
  const held: number[][] = []
  const transactions: { ops: readonly TreeOperation[]; commit(): void; fail(): void }[] = []
  const writer = createEditWriter({
    spaceId,
    runtime: time,
    storage: {
      appendLocal: (_spaceId, ops) =>
        new Promise((resolve, reject) => {
          transactions.push({
            ops,
            commit() {
              disk.push(ops.map(({ clock }) => clock))
              resolve()
            },
            fail: () => reject(new Error('disk full')),
          })
        }),
    },
    journal: {
      around: (_spaceId, _ops, write) => write(),
      hold: (_spaceId, ops) => held.push(ops.map(({ clock }) => clock)),
    },
    onStored: async () => {},
    onChange: () => {},
  })
  return { time, disk, held, transactions, writer }
}

describe('Edits', () => {
  it('of one turn are one transaction, and so is all that comes while it is under way', async () => {
    const { disk, transactions, writer } = setUp()
    writer.add(op(1))
    writer.add(op(2))
    await turns()
    writer.add(op(3))
    await turns()
    writer.add(op(4))
    await turns()
    expect(transactions).toHaveLength(1)
    expect(writer.unstored).toBe(4)
    transactions[0]!.commit()
    await turns()
    transactions[1]!.commit()
    await writer.stored()
    expect(disk).toEqual([
      [1, 2],
      [3, 4],
    ])
    expect(writer.unstored).toBe(0)
  })

  it('that the disk does not take stay, in order, and are tried again', async () => {
    const { time, disk, transactions, writer } = setUp()
    writer.add(op(1))
    await turns()
    writer.add(op(2))
    transactions[0]!.fail()
    await turns()
    expect(writer.error).toMatchObject({ message: 'disk full' })
    expect(writer.unstored).toBe(2)
    await time.pass(1000)
    transactions[1]!.commit()
    await writer.stored()
    expect(disk).toEqual([[1, 2]])
    expect(writer.error).toBeNull()
  })

  it('that are made while the disk takes nothing are noted at the end of their turn, all of them', async () => {
    const { held, transactions, writer } = setUp()
    writer.add(op(1))
    await turns()
    transactions[0]!.fail()
    await turns()
    writer.add(op(2))
    writer.add(op(3))
    await turns()
    expect(transactions).toHaveLength(1)
    expect(held.at(-1)).toEqual([1, 2, 3])
  })

  it('are on their way to the disk before the page goes, transaction under way or not', async () => {
    const { transactions, writer } = setUp()
    writer.add(op(1))
    await turns()
    writer.add(op(2))
    writer.hurry()
    expect(transactions.map(({ ops }) => ops.map(({ clock }) => clock))).toEqual([[1], [2]])
  })

  it('that are left at the end are tried once more, and the failure is told', async () => {
    const { transactions, writer } = setUp()
    writer.add(op(1))
    await turns()
    transactions[0]!.fail()
    await turns()
    const closed = writer.close()
    await turns()
    transactions[1]!.fail()
    await expect(closed).rejects.toThrow('disk full')
  })
})
