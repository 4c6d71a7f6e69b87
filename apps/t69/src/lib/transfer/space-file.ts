import type { ImportedTree, ImportedVertex } from '@t69/sync-client'
import { z } from 'zod'

import { markOf } from '../model/deleted-messages.ts'
import { tracesOf } from '../model/traces.ts'
import type { Tree, Vertex } from '../model/tree.ts'
import { newId, type ImportedSpace } from './imported-space.ts'
import { readShape } from './read-json.ts'
import { TransferError } from './transfer-error.ts'

/**
 * A space as one JSON document, `space.json` in a zip: docs/space-file.md has the format for others who read or write it,
 * and docs/decisions/0060-an-export-is-the-state.md says why it holds the state of each tree and not its history.
 */

export const spaceFileName = 'space.json'
export const spaceFormat = 't69-space'
export const spaceVersion = 1

export type FileVertex = ImportedVertex

/** A tree of the file. Parents come before children, children of one vertex in the order of the tree. */
export interface FileTree {
  readonly id: string
  readonly vertices: readonly FileVertex[]
}

const vertexSchema = z.looseObject({
  id: z.string().min(1),
  parentId: z.string().nullable(),
  properties: z.record(z.string(), z.json()),
})
const treeSchema = z.looseObject({ id: z.string().min(1), vertices: z.array(vertexSchema).min(1) })
const fileSchema = z.looseObject({
  format: z.literal(spaceFormat),
  version: z.number(),
  name: z.string(),
  space: z.unknown(),
  chats: z.array(z.unknown()),
})

/** What a tree holds and nobody has deleted. Values that somebody only shows are not in it. */
export function fileTreeOf(tree: Tree, id: string): FileTree {
  const { root } = tree
  if (root === undefined) return { id, vertices: [] }
  const vertices: FileVertex[] = []
  const waiting: Vertex[] = [root]
  for (let vertex = waiting.pop(); vertex !== undefined; vertex = waiting.pop()) {
    vertices.push({
      id: vertex.id,
      parentId: vertex === root ? null : vertex.parentId,
      properties: storedProperties(vertex),
    })
    for (const child of vertex.children.toReversed()) waiting.push(child)
  }
  return { id, vertices: withoutDeleted(tree, vertices) }
}

/** What is left of a deleted message that others follow. */
const keptOfDeleted = ['name', '_n', '_c', 'role', 'createdAt', 'versionOf', 'main']

/** Without the messages that are marked as deleted. One that others follow stays to lead to them, and says nothing. */
function withoutDeleted(tree: Tree, vertices: readonly FileVertex[]): FileVertex[] {
  const { messages } = tracesOf(tree)
  const kept: FileVertex[] = []
  const leading = new Set<string | null>()
  // Those below a vertex come after it.
  for (const vertex of vertices.toReversed()) {
    const mark = messages.has(vertex.id) ? markOf(tree.getVertex(vertex.id)) : null
    if (mark !== null && !leading.has(vertex.id)) continue
    leading.add(vertex.parentId)
    if (mark === null) kept.push(vertex)
    else {
      const place = Object.entries(vertex.properties).filter(([key]) => keptOfDeleted.includes(key))
      kept.push({ ...vertex, properties: { ...Object.fromEntries(place), deleted: { at: mark.at } } })
    }
  }
  return kept.toReversed()
}

function storedProperties(vertex: Vertex): FileVertex['properties'] {
  // Whoever writes a reply does not write it in a copy as well.
  const keys = Object.keys(vertex.getProperties()).filter((key) => key !== 'inProgress')
  const stored = keys.map((key) => [key, vertex.getProperty(key, false)] as const)
  return Object.fromEntries(
    stored.filter((entry): entry is readonly [string, Json] => entry[1] !== undefined),
  )
}

type Json = FileVertex['properties'][string]

export function isSpaceFile(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'format' in value && value.format === spaceFormat
}

export function importedSpaceOf(value: unknown, file: string): ImportedSpace {
  const read = readShape(fileSchema, value, file, '')
  if (read.version > spaceVersion) throw new TransferError('too-new', file)
  return {
    name: read.name,
    chats: read.chats.length,
    trees: newTrees(
      readShape(treeSchema, read.space, file, 'space'),
      function* () {
        for (const [index, chat] of read.chats.entries())
          yield readShape(treeSchema, chat, file, `chats[${index}]`)
      },
      file,
    ),
  }
}

/**
 * The same trees with new ids, so that a space can be imported where it came from, and twice. Values that name a vertex or
 * a tree of the file name the new one.
 */
export function* newTrees(
  space: FileTree,
  chats: () => Iterable<FileTree>,
  file: string,
): Generator<ImportedTree> {
  const treeIds = new Map<string, string>()
  /** Chats are named in the space's own tree, which comes first. */
  const newTreeId = (id: string): string => {
    const known = treeIds.get(id) ?? newId()
    treeIds.set(id, known)
    return known
  }
  const chatIds = new Set(
    space.vertices.flatMap(({ properties: { tid } }) => (typeof tid === 'string' ? [tid] : [])),
  )
  for (const id of chatIds) newTreeId(id)
  const earlier = earlierAuthorIn(space)
  const written = new Set<string>()
  for (const chat of chats()) {
    if (!chatIds.has(chat.id) || written.has(chat.id)) continue
    written.add(chat.id)
    const signed = earlier === undefined ? chat : withAuthors(chat, earlier)
    yield { id: newTreeId(chat.id), vertices: newVertices(signed, treeIds, file) }
  }
  yield { id: undefined, vertices: newVertices(withoutServer(space), treeIds, file) }
}

function newVertices(
  { id: treeId, vertices }: FileTree,
  treeIds: ReadonlyMap<string, string>,
  file: string,
): FileVertex[] {
  const [root, ...below] = vertices
  const ids = new Map<string, string>(below.map(({ id }) => [id, newId()]))
  const idOf = (id: string): string => (id === root?.id ? 'root' : (ids.get(id) ?? ''))
  const known = new Set<string>()
  return vertices.map((vertex, index) => {
    const parent = index === 0 ? null : vertex.parentId
    if (index > 0 && (parent === null || !known.has(parent) || known.has(vertex.id)))
      throw new TransferError('wrong-shape', file, `${treeId}: ${vertex.id}.parentId`)
    known.add(vertex.id)
    const properties = Object.entries(vertex.properties).map(([key, value]) => {
      const renamed = typeof value === 'string' ? (ids.get(value) ?? treeIds.get(value)) : undefined
      return [key, renamed ?? value] as const
    })
    return {
      id: idOf(vertex.id),
      parentId: parent === null ? null : idOf(parent),
      properties: Object.fromEntries(properties.filter(([key]) => key !== 'authorId')),
    }
  })
}

/** See model/authorship.ts: who wrote what names no author. It is of the server that the space was on. */
function earlierAuthorIn({ vertices: [root] }: FileTree): string | undefined {
  const value = root?.properties['authorBeforeSync']
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return typeof value['name'] === 'string' ? value['name'] : undefined
}

function withAuthors({ id, vertices }: FileTree, author: string): FileTree {
  const isUnsigned = ({ properties }: FileVertex): boolean =>
    properties['role'] === 'user' && properties['author'] === undefined
  return {
    id,
    vertices: vertices.map((vertex) =>
      isUnsigned(vertex) ? { ...vertex, properties: { ...vertex.properties, author } } : vertex,
    ),
  }
}

function withoutServer({ id, vertices: [root, ...below] }: FileTree): FileTree {
  if (root === undefined) return { id, vertices: [] }
  const { authorBeforeSync: _, ...properties } = root.properties
  return { id, vertices: [{ ...root, properties }, ...below] }
}
