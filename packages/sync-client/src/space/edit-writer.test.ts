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

describe('The edit writer', () => {
  it('stores the edits of one turn in one transaction, and those that come meanwhile in the next', async () => {
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

  it('keeps edits that the disk refuses, in order, and tries them again', async () => {
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

  it('notes all waiting edits in the journal at the end of a turn while the disk refuses them', async () => {
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

  it('writes waiting edits at once when the page is hidden, beside a transaction under way', async () => {
    const { transactions, writer } = setUp()
    writer.add(op(1))
    await turns()
    writer.add(op(2))
    void writer.writeNow()
    expect(transactions.map(({ ops }) => ops.map(({ clock }) => clock))).toEqual([[1], [2]])
  })

  it('tries edits that the disk refused in two transactions again in the order in which they were made', async () => {
    const { time, transactions, writer } = setUp()
    writer.add(op(1))
    await turns()
    writer.add(op(2))
    void writer.writeNow()
    for (const transaction of transactions.slice()) transaction.fail()
    await turns()
    await time.pass(1000)
    expect(transactions.at(-1)!.ops).toEqual([op(1), op(2)])
  })

  it('writes at the end of the turn again once the disk has taken what it refused', async () => {
    const { transactions, writer } = setUp()
    writer.add(op(1))
    await turns()
    transactions[0]!.fail()
    await turns()
    void writer.writeNow()
    transactions[1]!.commit()
    await turns()
    writer.add(op(2))
    await turns()
    expect(transactions).toHaveLength(3)
  })

  it('resolves `stored` once what was added before is on disk, while more is added', async () => {
    const { transactions, writer } = setUp()
    writer.add(op(1))
    await turns()
    writer.add(op(2))
    let isStored = false
    void writer.stored().then(() => (isStored = true))
    transactions[0]!.commit()
    await turns()
    writer.add(op(3))
    expect(isStored).toBe(false)
    transactions[1]!.commit()
    await turns()
    expect(isStored).toBe(true)
    expect(writer.unstored).toBe(1)
  })

  it('does not count an edit that the disk refused as stored when one after it is', async () => {
    const { time, transactions, writer } = setUp()
    writer.add(op(1))
    await turns()
    writer.add(op(2))
    void writer.writeNow()
    let isStored = false
    void writer.stored().then(() => (isStored = true))
    transactions[0]!.fail()
    transactions[1]!.commit()
    await turns()
    expect(isStored).toBe(false)
    await time.pass(1000)
    transactions[2]!.commit()
    await turns()
    expect(isStored).toBe(true)
  })

  it('stores the edits that are made while it is closed', async () => {
    const { disk, transactions, writer } = setUp()
    const closed = writer.close()
    writer.add(op(1))
    await turns()
    transactions[0]!.commit()
    writer.add(op(2))
    await turns()
    transactions[1]!.commit()
    await closed
    expect(disk).toEqual([[1], [2]])
  })

  it('closes without an error when its space is removed meanwhile', async () => {
    const { transactions, writer } = setUp()
    writer.add(op(1))
    await turns()
    const closed = writer.close()
    writer.add(op(2))
    writer.abandon()
    transactions[0]!.fail()
    await expect(closed).resolves.toBeUndefined()
  })

  it('tries waiting edits once more when it is closed, and rejects if that fails', async () => {
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

  it('writes nothing more once its space is removed from this device', async () => {
    const { time, transactions, writer } = setUp()
    writer.add(op(1))
    await turns()
    writer.add(op(2))
    writer.abandon()
    writer.add(op(3))
    transactions[0]!.fail()
    await time.pass(60_000)
    expect(transactions).toHaveLength(1)
  })
})
