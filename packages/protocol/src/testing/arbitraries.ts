import * as fc from 'fast-check'

import type { Batch } from '../batch/batch.ts'
import {
  idProblem,
  nullVertexId,
  peerIdSchema,
  spaceIdSchema,
  treeIdSchema,
  vertexIdSchema,
  type SpaceId,
} from '../ids.ts'
import { jsonValueProblem, type JsonValue } from '../json-value.ts'
import { keyProblem, moveProblem, type TreeOperation } from '../operation.ts'

/** Generators of ids, values and operations, for property tests of any package. They are not published. */

const characterOf = (alphabet: string) => fc.constantFrom(...Array.from(alphabet))
const hexDigit = characterOf('0123456789abcdef')
const hexText = (length: number) => fc.string({ unit: hexDigit, minLength: length, maxLength: length })

const hexId = hexText(32)
const uuid = fc
  .tuple(hexText(8), hexText(4), hexText(4), hexText(4), hexText(12))
  .map((parts) => parts.join('-'))
const digitsId = fc.string({ unit: characterOf('0123456789'), minLength: 1, maxLength: 64 })
const idCharacter = characterOf('0123456789ABCXYZabcxyz_-')
const textId = fc
  .string({ unit: idCharacter, minLength: 1, maxLength: 64 })
  .filter((id) => idProblem(id) === undefined)

/** Ids in every form that a batch has for them, up to the longest. */
export const anyId = fc.oneof(hexId, uuid, digitsId, textId)

export const spaceIds: fc.Arbitrary<SpaceId> = fc.oneof(hexId, uuid).map((id) => spaceIdSchema.parse(id))
export const treeIds = anyId.map((id) => treeIdSchema.parse(id))
export const vertexIds = anyId.map((id) => vertexIdSchema.parse(id))
export const peerIds = anyId.map((id) => peerIdSchema.parse(id))

export const propertyKeys = fc
  .oneof(
    fc.constantFrom('_n', '_c', 'text', 'role', 'größe', '名前', '😀'),
    fc.string({ minLength: 1, maxLength: 128, unit: 'grapheme' }),
  )
  .filter((key) => keyProblem(key) === undefined)

// Passed through JSON, like values that arrive: no -0, no prototypes other than Object's.
export const jsonValues: fc.Arbitrary<JsonValue> = fc
  .jsonValue({ stringUnit: 'binary', maxDepth: 3 })
  .map((value): JsonValue => JSON.parse(JSON.stringify(value)))
  .filter((value) => jsonValueProblem(value) === undefined)

/** Steps of a clock: mostly those of Lamport clocks, sometimes a leap to either end. */
const clockSteps = fc.oneof(
  { weight: 8, arbitrary: fc.constant(1) },
  { weight: 3, arbitrary: fc.integer({ min: -50, max: 200 }) },
  { weight: 1, arbitrary: fc.maxSafeInteger() },
)

/** Batches over a few ids and keys, which recur as in a real history. */
export function batches(constraints: { readonly maxOps?: number } = {}): fc.Arbitrary<Batch> {
  const names = fc.record({
    spaceId: spaceIds,
    peers: fc.array(peerIds, { minLength: 1, maxLength: 3 }),
    trees: fc.array(treeIds, { minLength: 1, maxLength: 2 }),
    vertices: fc.array(vertexIds, { minLength: 1, maxLength: 6 }),
    keys: fc.array(propertyKeys, { minLength: 1, maxLength: 3 }),
  })
  const edit = fc.record({
    peer: fc.nat(),
    tree: fc.nat(),
    target: fc.nat(),
    parent: fc.option(fc.nat(), { freq: 4 }),
    key: fc.nat(),
    kind: fc.constantFrom('move', 'set', 'removal'),
    value: jsonValues,
    step: clockSteps,
  })
  const edits = fc.array(edit, { maxLength: constraints.maxOps ?? 40 })
  return fc.tuple(names, edits).map(([{ spaceId, peers, trees, vertices, keys }, edits]) => {
    let lastClock = 0
    const ops = edits.map((edit): TreeOperation => {
      const next = lastClock + edit.step
      lastClock = Number.isSafeInteger(next) && next >= 1 ? next : 1
      const treeId = pick(trees, edit.tree)
      const targetId = pick([...vertices, nullVertexId], edit.target)
      const base = { clock: lastClock, peerId: pick(peers, edit.peer), treeId, spaceId }
      const key = pick(keys, edit.key)
      if (edit.kind === 'removal') return { ...base, targetId, key }
      if (edit.kind === 'set') return { ...base, targetId, key, value: edit.value }
      if (edit.parent === null) {
        const rootId = edit.target % 2 === 0 ? nullVertexId : vertexIdSchema.parse(treeId)
        return { ...base, targetId: rootId, parentId: null }
      }
      const move = { ...base, targetId, parentId: pick([...vertices, nullVertexId], edit.parent) }
      return moveProblem(move) === undefined ? move : { ...base, targetId, key }
    })
    return { spaceId, ops }
  })
}

function pick<T>(items: readonly T[], index: number): T {
  const item = items[index % items.length]
  if (item === undefined) throw new RangeError('nothing to pick from')
  return item
}
