/**
 * Writes batches in the layout of SPEC.md without checking anything, so that tests can send what no honest writer would.
 * Ids are any text, clocks any safe integers, values any text.
 */

export interface RawOp {
  readonly clock?: number
  readonly peerId?: string
  readonly treeId?: string
  readonly targetId?: string
  /** If given, the operation is a move. */
  readonly parentId?: string | null
  readonly key?: string
  /** The text of the value, as it is sent. Without it, the operation removes the property. */
  readonly text?: string
  /** Overrides the kind that follows from the other fields. */
  readonly kind?: number
}

export function rawBatch(spaceId: string, ops: readonly RawOp[], count: number = ops.length): Uint8Array {
  const peers = new Names(writeId)
  const trees = new Names(writeId)
  const vertices = new Names(writeId)
  const keys = new Names((key) => [...varint(utf8(key).length), ...utf8(key)])
  const kinds: number[] = []
  const refs: number[] = []
  const lengths: number[] = []
  const values: Uint8Array[] = []
  const runs = { peers: [] as number[], trees: [] as number[], clocks: [] as number[] }
  const lastClocks = new Map<number, number>()
  let lastTarget = -1
  let lastParent = -1

  for (const op of ops) {
    const { clock = 1, peerId = '7', treeId = spaceId, targetId = 'v', parentId, key = 'k', text } = op
    runs.peers.push(peers.indexOf(peerId))
    const tree = trees.indexOf(treeId)
    runs.trees.push(tree)
    runs.clocks.push(clock - (lastClocks.get(tree) ?? 0))
    lastClocks.set(tree, clock)
    lastTarget = refer(targetId, lastTarget)
    if (parentId === undefined) {
      const index = keys.indexOf(key)
      kinds.push(op.kind ?? (text === undefined ? 3 : 2) + 2 * index)
      if (text === undefined) continue
      lengths.push(utf8(text).length)
      values.push(utf8(text))
    } else {
      kinds.push(op.kind ?? (parentId === null ? 1 : 0))
      if (parentId !== null) lastParent = refer(parentId, lastParent)
    }
  }

  function refer(id: string, last: number): number {
    const size = vertices.size
    const index = vertices.indexOf(id)
    refs.push(index === last ? 0 : index === size ? 1 : size - 1 - index + 2)
    return index
  }

  const head = [1, ...writeId(spaceId), ...varint(count), ...peers.bytes(), ...trees.bytes()]
  const names = [...vertices.bytes(), ...keys.bytes(), ...kinds.flatMap(varint)]
  const columns = [
    ...runsOf(runs.peers, varint),
    ...runsOf(runs.trees, varint),
    ...runsOf(runs.clocks, signedVarint),
    ...refs.flatMap(varint),
    ...lengths.flatMap(varint),
  ]
  return Buffer.concat([Uint8Array.from([...head, ...names, ...columns]), ...values])
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

export function varint(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80)
  return [...bytes, rest]
}

function signedVarint(value: number): number[] {
  const magnitude = value < 0 ? -value - 1 : value
  const low = (magnitude % 0x40) * 2 + (value < 0 ? 1 : 0)
  return magnitude < 0x40 ? [low] : [low + 0x80, ...varint(Math.floor(magnitude / 0x40))]
}

function writeId(id: string): number[] {
  const nibbles = (text: string): number[] =>
    (text.match(/..?/g) ?? []).map((pair) => Number.parseInt(pair.padEnd(2, '0'), 16))
  if (/^[0-9a-f]{32}$/.test(id)) return [0, ...nibbles(id)]
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) return [1, ...nibbles(id.replaceAll('-', ''))]
  if (/^[0-9]{1,64}$/.test(id)) return [id.length + 1, ...nibbles(id)]
  const bytes = utf8(id)
  return [65 + bytes.length, ...bytes]
}

function runsOf(column: readonly number[], write: (value: number) => number[]): number[] {
  const bytes: number[] = []
  for (let at = 0; at < column.length;) {
    const value = column[at] ?? 0
    let end = at + 1
    while (end < column.length && column[end] === value) end++
    bytes.push(...write(value), ...varint(end - at - 1))
    at = end
  }
  return bytes
}

class Names {
  readonly #indices = new Map<string, number>()
  readonly #entries: number[] = []
  readonly #write: (name: string) => number[]

  constructor(write: (name: string) => number[]) {
    this.#write = write
  }

  get size(): number {
    return this.#indices.size
  }

  indexOf(name: string): number {
    const known = this.#indices.get(name)
    if (known !== undefined) return known
    this.#indices.set(name, this.size)
    this.#entries.push(...this.#write(name))
    return this.size - 1
  }

  bytes(): number[] {
    return [...varint(this.size), ...this.#entries]
  }
}
