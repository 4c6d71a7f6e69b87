import { z } from 'zod'

import type { ImportedSpace } from './imported-space.ts'
import { readShape } from './read-json.ts'
import { newTrees, type FileTree, type FileVertex } from './space-file.ts'

/**
 * The database of a t69 of June 2025 at another address, as JSON: its tables `spaces` and `treeOps`. docs/app.md says how
 * a person gets it. What other tools for Dexie write (`dexie-export-import`) is read too. Secrets are not.
 */

const spaceSchema = z.looseObject({ id: z.string().min(1), name: z.string().nullish() })
const opSchema = z.looseObject({
  clock: z.number(),
  peerId: z.string(),
  treeId: z.string().min(1),
  spaceId: z.string(),
  targetId: z.string().min(1),
  parentId: z.string().nullish(),
  key: z.string().nullish(),
  value: z.json().optional(),
})
type Op = z.infer<typeof opSchema>

const plainSchema = z.looseObject({ spaces: z.array(spaceSchema), treeOps: z.array(z.unknown()) })
const dexieSchema = z.looseObject({
  formatName: z.literal('dexie'),
  data: z.looseObject({
    data: z.array(z.looseObject({ tableName: z.string(), rows: z.array(z.unknown()) })),
  }),
})

export function isT69Database(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return 'treeOps' in value || ('formatName' in value && value.formatName === 'dexie')
}

export function spacesOfDatabase(value: unknown, file: string): ImportedSpace[] {
  const { spaces, treeOps } = readShape(plainSchema, plainTables(value, file), file, '')
  const ops = treeOps.map((op, index) => readShape(opSchema, op, file, `treeOps[${index}]`))
  const bySpace = Map.groupBy(ops, (op) => op.spaceId)
  return spaces.flatMap(({ id, name }) => {
    const byTree = Map.groupBy(bySpace.get(id) ?? [], (op) => op.treeId)
    const own = byTree.get(id)
    if (own === undefined) return []
    const space = stateOf(id, own)
    const chats = Array.from(byTree).filter(([treeId]) => treeId !== id)
    return {
      name: name ?? 'My space',
      chats: chats.length,
      trees: newTrees(
        space,
        function* () {
          for (const [treeId, treeOpsOf] of chats) yield stateOf(treeId, treeOpsOf)
        },
        file,
      ),
    }
  })
}

function plainTables(value: unknown, file: string): unknown {
  if (typeof value !== 'object' || value === null || !('formatName' in value)) return value
  const { data } = readShape(dexieSchema, value, file, '').data
  const rowsOf = (table: string): unknown[] | undefined =>
    data.find(({ tableName }) => tableName === table)?.rows
  return { spaces: rowsOf('spaces'), treeOps: rowsOf('treeOps') }
}

/**
 * The state that the operations of a tree lead to: moves in the order of their ids, where one into itself does nothing, and
 * of each property the value that was set last. What is deleted is left out.
 */
export function stateOf(treeId: string, ops: readonly Op[]): FileTree {
  const parents = new Map<string, string | null>()
  const properties = new Map<string, Map<string, FileVertex['properties'][string]>>()
  const isInside = (id: string, vertex: string): boolean => {
    let at: string | null = id
    for (let steps = 0; at !== null && steps <= parents.size; steps++) {
      if (at === vertex) return true
      at = parents.get(at) ?? null
    }
    return false
  }
  for (const { targetId, parentId, key, value } of ops.toSorted(inOrder)) {
    if (typeof key === 'string') {
      const of = properties.get(targetId) ?? new Map()
      if (value === undefined) of.delete(key)
      else of.set(key, value)
      properties.set(targetId, of)
    } else if (parentId !== undefined && (parentId === null || !isInside(parentId, targetId)))
      parents.set(targetId, parentId)
  }
  const below = Map.groupBy(parents.keys(), (id) => parents.get(id) ?? null)
  const vertices: FileVertex[] = []
  const waiting = [treeId]
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    const values = Array.from(properties.get(id) ?? [])
    vertices.push({
      id,
      parentId: id === treeId ? null : (parents.get(id) ?? null),
      properties: Object.fromEntries(values),
    })
    for (const child of (below.get(id) ?? []).toReversed()) waiting.push(child)
  }
  return { id: treeId, vertices }
}

function inOrder(a: Op, b: Op): number {
  return a.clock - b.clock || (a.peerId < b.peerId ? -1 : a.peerId > b.peerId ? 1 : 0)
}
