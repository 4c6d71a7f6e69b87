import type { Space } from '@t69/sync-client'

/** A tree of a space, with RepTree's own API, and a vertex of it. */
export type Tree = Space['root']
export type Vertex = NonNullable<Tree['root']>

/** Called with each vertex whose children, or whose children's properties, a result depends on. */
export type Visit = (vertexId: string) => void
export const unwatched: Visit = () => {}

/** A text property, or undefined when it is missing or is not text. */
export function textOf(vertex: Vertex, key: string): string | undefined {
  const value = vertex.getProperty(key)
  return typeof value === 'string' ? value : undefined
}

/** The same of the stored value, whatever somebody shows in its place. */
export function storedTextOf(vertex: Vertex, key: string): string | undefined {
  const value = vertex.getProperty(key, false)
  return typeof value === 'string' ? value : undefined
}

/** Whether a number is a time that can be shown. Any client may write any number. */
export function isTime(ms: number): boolean {
  return Math.abs(ms) <= 8.64e15
}

/** When a vertex was created, in Unix ms; 0 when it does not say so legibly. */
export function createdTimeOf(vertex: Vertex): number {
  const ms = Date.parse(textOf(vertex, '_c') ?? '')
  return isTime(ms) ? ms : 0
}

/** The name that code finds a vertex by. RepTree keeps it in `name`; t69's data of June 2025 in `_n`. */
export function nameOf(vertex: Vertex): string | undefined {
  return textOf(vertex, 'name') ?? textOf(vertex, '_n')
}

/**
 * Children of that name, smallest id first. There may be several: two devices can create one at the same time, and
 * neither may hide what the other put into its own.
 */
export function childrenNamed(parent: Vertex, name: string): Vertex[] {
  return parent.children.filter((child) => nameOf(child) === name).toSorted(byId)
}

/** The first child of that name, created when there is none. */
export function childNamed(parent: Vertex, name: string): Vertex {
  return childrenNamed(parent, name)[0] ?? parent.newNamedChild(name)
}

export function byId(a: Vertex, b: Vertex): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}

/** Makes changes, and announces them at once instead of at RepTree's next tick. */
export function edit<T>(tree: Tree, change: () => T): T {
  const result = change()
  tree.flushEvents()
  return result
}

/** The root, which a tree that is still arriving from the server does not have yet. */
export function rootOf(tree: Tree): Vertex {
  if (tree.root === undefined) throw new Error('This has not arrived from the server yet')
  return tree.root
}
