import type { Replica } from '@t69/replica'

import type { FileContent, TraceEdit } from './trace.ts'

/**
 * Edits a file tree on a replica. A folder or file is a vertex named by its last path segment; a file's `blob` and
 * `bytes` are properties. Empty folders stay, as they do in an app.
 */
export function applyEdit(tree: Replica, edit: TraceEdit): void {
  if (edit.kind === 'write') {
    const content = { blob: edit.file.blob, bytes: edit.file.bytes }
    if (edit.isNew) tree.newNamedVertex(folderOf(tree, edit.path), nameOf(edit.path), content)
    else tree.setVertexProperties(vertexAt(tree, edit.path), content)
    return
  }
  if (edit.kind === 'delete') {
    tree.deleteVertex(vertexAt(tree, edit.path))
    return
  }
  const moved = vertexAt(tree, edit.from)
  const folder = folderOf(tree, edit.to)
  tree.moveVertex(moved, folder)
  tree.setVertexProperty(moved, 'name', nameOf(edit.to))
}

/** A vertex of a tree, in a shape that a replica and the server's JSON share. */
export interface FileVertex {
  readonly id: string
  readonly parentId: string | null
  readonly properties: Readonly<Record<string, unknown>>
}

/** The tree's files by path. Throws if two vertices have the same path. */
export function listFiles(vertices: Iterable<FileVertex>, rootId: string): Map<string, FileContent> {
  const byId = new Map(Array.from(vertices, (vertex) => [vertex.id, vertex]))
  const paths = new Map<string, string | undefined>([[rootId, '']])
  /** The path of a vertex, or undefined if it is not under the root: it is deleted, or the null vertex. */
  function pathOf(id: string): string | undefined {
    if (paths.has(id)) return paths.get(id)
    const vertex = byId.get(id)
    const parentId = vertex?.parentId ?? null
    const folder = parentId === null ? undefined : pathOf(parentId)
    const name = String(vertex?.properties['name'])
    const path = folder === undefined ? undefined : folder === '' ? name : `${folder}/${name}`
    paths.set(id, path)
    return path
  }
  const files = new Map<string, FileContent>()
  for (const { id, properties } of byId.values()) {
    const { blob, bytes } = properties
    const path = pathOf(id)
    if (path === undefined || typeof blob !== 'string' || typeof bytes !== 'number') continue
    if (files.has(path)) throw new Error(`two vertices are ${path}`)
    files.set(path, { blob, bytes })
  }
  return files
}

/** The files of a replica by path. */
export function filesOf(tree: Replica): Map<string, FileContent> {
  const vertices = tree.getAllVertices().map((vertex) => ({
    id: vertex.id,
    parentId: vertex.parentId,
    properties: vertex.getProperties(),
  }))
  return listFiles(vertices, rootOf(tree))
}

function rootOf(tree: Replica): string {
  if (tree.root === undefined) throw new Error('the tree has no root yet')
  return tree.root.id
}

function vertexAt(tree: Replica, path: string): string {
  let id = rootOf(tree)
  for (const name of path.split('/')) {
    const child = childNamed(tree, id, name)
    if (child === undefined) throw new Error(`${path} is not in the tree`)
    id = child
  }
  return id
}

/** The folder that contains `path`. Creates the folders that are missing. */
function folderOf(tree: Replica, path: string): string {
  let id = rootOf(tree)
  for (const name of path.split('/').slice(0, -1)) {
    id = childNamed(tree, id, name) ?? tree.newNamedVertex(id, name).id
  }
  return id
}

function childNamed(tree: Replica, parentId: string, name: string): string | undefined {
  return tree.getChildrenIds(parentId).find((id) => tree.getVertexProperty(id, 'name') === name)
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
