import { byId, type Tree, type Vertex } from './tree.ts'

/**
 * What the vertices of a tree were ever given. A property can be written over and a vertex moved, by anyone who may edit,
 * but nothing leaves the log: what once was a chat, a message or a part of the structure is found here for good. So no
 * edit hides what others wrote (docs/decisions/0036-what-once-was-a-chat-stays-one.md). Every device has the same log, and finds the same.
 */
export interface Traces {
  /** The vertices that were ever given a name, in `name` or, as in t69's data of June 2025, in `_n`. */
  named(name: string): ReadonlySet<string>
  /** Whether a vertex is neither deleted nor inside something deleted. Linear over all questions between two moves. */
  isInView(id: string): boolean
  /** The parts of that name that are in view, wherever they are now, smallest id first. */
  partsInView(name: string): readonly Vertex[]
  /** The vertices that ever stood for a chat, by the id of its tree. */
  readonly chats: ReadonlyMap<string, ReadonlySet<string>>
  /** The vertices that were ever given what only messages have: a role, a text, or what they are a version of. */
  readonly messages: ReadonlySet<string>
  /** The messages that were ever a reply of a model. */
  readonly replies: ReadonlySet<string>
  /** The vertices that were ever pinned, or whose pin was taken away. */
  readonly pinned: ReadonlySet<string>
}

/** The parts of a space and of a chat that t69 finds by name. */
const partNames: ReadonlySet<unknown> = new Set([
  'app-forest',
  'providers',
  'settings',
  'app-configs',
  'messages',
  'jobs',
])

/** The vertex under which deleted ones are. */
const nullVertexId = '0'

/** What is read of a tree. */
type ReadTree = Vertex['tree']

const byTree = new WeakMap<ReadTree, Traces>()

export function tracesOf(tree: ReadTree): Traces {
  const known = byTree.get(tree)
  if (known !== undefined) return known
  const parts = new Map<string, Set<string>>()
  const chats = new Map<string, Set<string>>()
  const messages = new Set<string>()
  const replies = new Set<string>()
  const pinned = new Set<string>()
  /** What `partsInView` returned, until a move or another part may change it: it is asked at each layout. */
  let partsBy = new Map<string, readonly Vertex[]>()
  /** What is in view, as far as it was asked for, until a move may change it: vertices may be very many deep. */
  let views = new Map<string, boolean>()
  const add = (to: Map<string, Set<string>>, key: string, id: string): void => {
    const ids = to.get(key)
    if (ids === undefined) to.set(key, new Set([id]))
    else ids.add(id)
  }
  // The parameter names only what is read: a move has no key.
  function note(op: { targetId: string; key?: string; value?: unknown; transient?: boolean }): void {
    const { targetId, key, value } = op
    // Names of the root and of the null vertex make them no part of what is below the root.
    if (key === undefined) {
      partsBy = new Map()
      views = new Map()
    }
    if (key === undefined || op.transient === true || targetId === nullVertexId || targetId === tree.root?.id)
      return
    if (key === 'role' && (value === 'assistant' || value === 'error')) replies.add(targetId)
    if (key === 'role' || key === 'text' || key === 'versionOf') messages.add(targetId)
    else if (key === 'pinned') pinned.add(targetId)
    else if (typeof value !== 'string') return
    else if (key === 'tid') add(chats, value, targetId)
    else if ((key === 'name' || key === '_n') && partNames.has(value)) {
      add(parts, value, targetId)
      partsBy = new Map()
    }
  }
  for (const op of tree.getAllOps()) note(op)
  tree.observeOpApplied(note)
  const nobody: ReadonlySet<string> = new Set()
  const named = (name: string): ReadonlySet<string> => parts.get(name) ?? nobody
  function isInView(id: string): boolean {
    const path = new Set<string>()
    let found: boolean | undefined
    for (let at = id; found === undefined;) {
      found = at === nullVertexId ? false : views.get(at)
      if (found !== undefined) break
      path.add(at)
      const parentId = tree.getVertex(at)?.parentId
      // The root, or a vertex that is not there.
      if (!parentId || path.has(parentId)) found = true
      else at = parentId
    }
    for (const passed of path) views.set(passed, found)
    return found
  }
  function partsInView(name: string): readonly Vertex[] {
    const known = partsBy.get(name)
    if (known !== undefined) return known
    const found = Array.from(named(name))
      .filter((id) => isInView(id))
      .flatMap((id) => tree.getVertex(id) ?? [])
      .toSorted(byId)
    partsBy.set(name, found)
    return found
  }
  const traces: Traces = { named, isInView, partsInView, chats, messages, replies, pinned }
  byTree.set(tree, traces)
  return traces
}

/** Whether a vertex is neither deleted nor inside something deleted. */
export function isInView(tree: ReadTree, id: string): boolean {
  return tracesOf(tree).isInView(id)
}

/** The vertices in view that were ever given a name, wherever they are now, smallest id first. */
export function partsNamed(tree: Tree, name: string): readonly Vertex[] {
  return tracesOf(tree).partsInView(name)
}

/** The first part of that name, created when there is none. */
export function partNamed(tree: Tree, root: Vertex, name: string): Vertex {
  return partsNamed(tree, name)[0] ?? root.newNamedChild(name)
}
