import { compareOpIds } from './op-order.ts'
import type { MoveRecord } from './vertex-node.ts'

/** A binary heap of moves: returns them in the order of their ids. */
export class OpHeap {
  readonly #records: MoveRecord[] = []

  push(record: MoveRecord): void {
    const records = this.#records
    let at = records.length
    records.push(record)
    for (;;) {
      const above = (at - 1) >> 1
      const parent = records[above]
      if (parent === undefined || compareOpIds(parent.op.id, record.op.id) <= 0) break
      records[at] = parent
      at = above
    }
    records[at] = record
  }

  first(): MoveRecord | undefined {
    return this.#records[0]
  }

  pop(): MoveRecord | undefined {
    const records = this.#records
    const first = records[0]
    const last = records.pop()
    if (last === undefined || last === first) return first
    let at = 0
    for (;;) {
      const left = records[2 * at + 1]
      const right = records[2 * at + 2]
      const isRight = left !== undefined && right !== undefined && compareOpIds(right.op.id, left.op.id) < 0
      const child = isRight ? right : left
      if (child === undefined || compareOpIds(last.op.id, child.op.id) <= 0) break
      records[at] = child
      at = 2 * at + (isRight ? 2 : 1)
    }
    records[at] = last
    return first
  }
}
