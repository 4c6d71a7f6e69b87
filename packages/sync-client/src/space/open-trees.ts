import type { JsonValue, SpaceId, TreeId, TreeOperation } from '@t69/protocol'
import { Replica, toTreeOperation, toVertexOperation, type VertexOperation } from '@t69/replica'

import type { Runtime } from '../runtime/index.ts'
import { groupByTree } from '../storage/index.ts'

/**
 * Operations that are merged in one turn while a tree is opened: some 50 ms on a laptop. A tree of no more is opened in
 * one turn.
 */
const opsPerTurn = 10_000

/** How long a tree is read until the space counts as catching up, in ms. */
const longReadMs = 300

/** A transient value that was set in this tab: it is shown, and never stored. */
export interface LocalTransient {
  readonly treeId: TreeId
  readonly targetId: string
  readonly key: string
  readonly value: JsonValue | undefined
  /** Later operations of this tree have higher clocks. */
  readonly opId: { readonly clock: number; readonly peerId: string }
}

export interface OpenTreesDeps {
  readonly spaceId: SpaceId
  readonly runtime: Runtime
  readonly readTree: (treeId: TreeId) => Promise<TreeOperation[]>
  readonly onEdit: (op: TreeOperation) => void
  readonly onTransient: (change: LocalTransient) => void
  /** Called when a replica was filled from storage: before `open` returns it, and after `reload`. */
  readonly onFilled: (treeId: TreeId) => void
  /** Called when `isMerging` has changed. */
  readonly onMerging: () => void
  /** Resolves when every edit made so far is on disk. */
  readonly stored: () => Promise<void>
}

/** The open trees of a space: one replica per tree, however often it is opened. */
export interface OpenTrees {
  open(treeId: TreeId): Promise<Replica>
  create(treeId: TreeId): Replica
  close(treeId: TreeId): Promise<void>
  treeIdOf(tree: Replica): TreeId | undefined
  get(treeId: TreeId): Replica | undefined
  ids(): TreeId[]
  /** A large tree is being opened: a part of its operations is merged, and none of it is shown. */
  readonly isMerging: boolean
  /** Merges operations that came from elsewhere into the trees that they belong to. */
  show(ops: readonly TreeOperation[]): void
  /** Merges the stored operations into all open trees: this tab may have missed edits of other tabs. */
  reload(): Promise<void>
  /**
   * Replaces the tree's replica with a new one of the stored operations, and disposes the one before: operations
   * cannot be removed from a replica.
   */
  replace(treeId: TreeId): Promise<void>
  /** Disposes all replicas. A call of `open` that is under way rejects with `why`. */
  suspend(why: unknown): void
  /**
   * Reads the trees again that were open when they were suspended, as often as they were and have not been closed since.
   * Returns their ids. If one cannot be read, rejects, and all of them stay suspended.
   */
  resume(): Promise<TreeId[]>
}

interface LoadingTree {
  /** How often the tree is open. */
  users: number
  tree: Replica | undefined
  /** Operations that arrived, or were edits here, while the tree was being read: the read may not contain them. */
  missed: TreeOperation[]
  isReplaced: boolean
}

interface OpenTree extends LoadingTree {
  loading: Promise<Replica>
}

export function createOpenTrees(deps: OpenTreesDeps): OpenTrees {
  const { spaceId } = deps
  const trees = new Map<TreeId, OpenTree>()
  const ids = new WeakMap<Replica, TreeId>()
  /** How often each suspended tree is open. */
  const suspended = new Map<TreeId, number>()
  let whySuspended: unknown = null
  let merging = 0
  /** The last replacement that was asked for. They run one at a time: each shows what its own read missed. */
  let lastReplacement: Promise<void> = Promise.resolve()

  function attach(treeId: TreeId, tree: Replica): void {
    ids.set(tree, treeId)
    tree.onLocalOp((op: VertexOperation) => {
      if ('key' in op && op.transient) {
        const { targetId, key, value, id } = op
        const opId = { clock: id.counter, peerId: id.peerId }
        deps.onTransient({ treeId, targetId, key, value, opId })
        return
      }
      const edit = toTreeOperation(op, { spaceId, treeId })
      const entry = trees.get(treeId)
      if (entry?.isReplaced === true) entry.missed.push(edit)
      deps.onEdit(edit)
    })
  }

  async function load(treeId: TreeId, entry: LoadingTree): Promise<Replica> {
    const endNote = noteLongRead()
    try {
      const ops = await deps.readTree(treeId)
      if (trees.get(treeId) !== entry) throw whySuspended
      const tree = new Replica({ treeId })
      if (ops.length > opsPerTurn) await mergeInTurns(tree, ops, () => trees.get(treeId) === entry)
      else tree.merge(ops.map(toVertexOperation))
      if (trees.get(treeId) !== entry) throw whySuspended
      return show(treeId, entry, tree)
    } finally {
      endNote()
    }
  }

  /** A tree that takes long to read counts as being merged, until the returned function is called. */
  function noteLongRead(): () => void {
    let isLong = false
    const cancel = deps.runtime.setTimer(() => {
      isLong = true
      countMerging(1)
    }, longReadMs)
    return () => {
      cancel()
      if (isLong) countMerging(-1)
    }
  }

  /** Merges the operations of a large tree, oldest first, and lets the page answer in between. Empties `ops`. */
  async function mergeInTurns(tree: Replica, ops: TreeOperation[], isWanted: () => boolean): Promise<void> {
    countMerging(1)
    try {
      // Taken from the end, so that no operation is held twice for longer than needed.
      ops.sort((a, b) => b.clock - a.clock)
      while (ops.length > 0) {
        await new Promise<void>((resolve) => void deps.runtime.setTimer(resolve, 0))
        if (!isWanted()) return
        tree.merge(ops.splice(-opsPerTurn).map(toVertexOperation))
      }
    } finally {
      countMerging(-1)
    }
  }

  function countMerging(by: 1 | -1): void {
    const was = merging > 0
    merging += by
    if (was !== merging > 0) deps.onMerging()
  }

  function read(treeId: TreeId): OpenTree {
    const loaded: LoadingTree = { users: 0, tree: undefined, missed: [], isReplaced: false }
    const made = Object.assign(loaded, { loading: load(treeId, loaded) })
    // A tree that could not be read is not open: the next `open` reads again.
    made.loading.catch(() => void (trees.get(treeId) === made && trees.delete(treeId)))
    trees.set(treeId, made)
    return made
  }

  function suspend(why: unknown): void {
    whySuspended = why
    for (const [treeId, { users, tree }] of trees) {
      if (tree !== undefined && users > 0) suspended.set(treeId, users)
      tree?.dispose()
    }
    trees.clear()
  }

  /** Shows the tree, with what it has missed while it was filled. */
  function show(treeId: TreeId, entry: LoadingTree, tree: Replica): Replica {
    tree.merge(entry.missed.map(toVertexOperation))
    entry.missed = []
    entry.tree = tree
    attach(treeId, tree)
    deps.onFilled(treeId)
    return tree
  }

  async function replace(treeId: TreeId): Promise<void> {
    const entry = trees.get(treeId)
    // A tree that cannot be read is not open any more.
    const before = await entry?.loading.catch(() => undefined)
    if (entry === undefined || before === undefined || trees.get(treeId) !== entry) return
    entry.isReplaced = true
    try {
      await deps.stored()
      const ops = await deps.readTree(treeId)
      if (trees.get(treeId) !== entry) return
      const filled = new Replica({ treeId, ops: ops.map(toVertexOperation) })
      entry.loading = Promise.resolve(show(treeId, entry, filled))
      before.dispose()
    } finally {
      entry.isReplaced = false
      entry.missed = []
    }
  }

  return {
    open(treeId) {
      const entry = trees.get(treeId) ?? read(treeId)
      entry.users++
      return entry.loading
    },
    create(treeId) {
      const tree = Replica.create(treeId)
      trees.set(treeId, { users: 1, tree, missed: [], isReplaced: false, loading: Promise.resolve(tree) })
      attach(treeId, tree)
      return tree
    },
    async close(treeId) {
      const users = suspended.get(treeId)
      if (users !== undefined) {
        if (users > 1) suspended.set(treeId, users - 1)
        else suspended.delete(treeId)
        return
      }
      const entry = trees.get(treeId)
      if (entry === undefined || --entry.users > 0) return
      await entry.loading
      await deps.stored()
      if (entry.users > 0 || trees.get(treeId) !== entry) return
      trees.delete(treeId)
      // Another one by now, if the tree was replaced meanwhile.
      entry.tree?.dispose()
      // Those that it took meanwhile. Now it takes no more.
      await deps.stored()
    },
    treeIdOf: (tree) => ids.get(tree),
    get: (treeId) => trees.get(treeId)?.tree,
    ids: () => [...trees.keys()],
    get isMerging() {
      return merging > 0
    },
    show(ops) {
      for (const [treeId, treeOps] of groupByTree(ops)) {
        const entry = trees.get(treeId)
        entry?.tree?.merge(treeOps.map(toVertexOperation))
        if (entry?.tree === undefined || entry.isReplaced) for (const op of treeOps) entry?.missed.push(op)
      }
    },
    async reload() {
      for (const [treeId, { loading }] of trees) {
        // A read that is under way may have begun too early.
        const tree = await loading.catch(() => undefined)
        if (tree === undefined) continue
        const ops = await deps.readTree(treeId)
        if (trees.get(treeId)?.tree !== tree) continue
        tree.merge(ops.map(toVertexOperation))
        deps.onFilled(treeId)
      }
    },
    replace(treeId) {
      const done = lastReplacement.then(() => replace(treeId))
      lastReplacement = done.catch(() => {})
      return done
    },
    suspend,
    async resume() {
      const reading = Array.from(suspended.keys(), (treeId) => read(treeId).loading)
      try {
        await Promise.all(reading)
      } catch (error) {
        suspend(error)
        throw error
      }
      for (const [treeId, entry] of trees) {
        entry.users = suspended.get(treeId) ?? 0
        if (entry.users > 0) continue
        entry.tree?.dispose()
        trees.delete(treeId)
      }
      suspended.clear()
      return [...trees.keys()]
    },
  }
}
