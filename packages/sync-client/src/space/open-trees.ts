import type { JsonValue, SpaceId, TreeId, TreeOperation } from '@t69/protocol'
import { Replica, toTreeOperation, toVertexOperation, type VertexOperation } from '@t69/replica'

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
  readonly readTree: (treeId: TreeId) => Promise<TreeOperation[]>
  readonly onEdit: (op: TreeOperation) => void
  readonly onTransient: (change: LocalTransient) => void
  /** Called when a replica was filled from storage: before `open` returns it, and after `reload`. */
  readonly onFilled: (treeId: TreeId) => void
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
  /** Merges operations that came from elsewhere into the trees that they belong to. */
  show(ops: readonly TreeOperation[]): void
  /** Merges the stored operations into all open trees: this tab may have missed edits of other tabs. */
  reload(): Promise<void>
  /**
   * Replaces the tree's replica with a new one of the stored operations, and disposes the one before: operations
   * cannot be removed from a replica.
   */
  replace(treeId: TreeId): Promise<void>
  dispose(): void
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
    return fill(treeId, entry, await deps.readTree(treeId))
  }

  function fill(treeId: TreeId, entry: LoadingTree, ops: readonly TreeOperation[]): Replica {
    const tree = new Replica({ treeId, ops: [...ops, ...entry.missed].map(toVertexOperation) })
    entry.missed = []
    entry.tree = tree
    attach(treeId, tree)
    deps.onFilled(treeId)
    return tree
  }

  return {
    open(treeId) {
      let entry = trees.get(treeId)
      if (entry === undefined) {
        const loaded: LoadingTree = { users: 0, tree: undefined, missed: [], isReplaced: false }
        const made = Object.assign(loaded, { loading: load(treeId, loaded) })
        // A tree that could not be read is not open: the next `open` reads again.
        made.loading.catch(() => void (trees.get(treeId) === made && trees.delete(treeId)))
        trees.set(treeId, made)
        entry = made
      }
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
      const entry = trees.get(treeId)
      if (entry === undefined || --entry.users > 0) return
      const tree = await entry.loading
      // The next `open` reads the tree from disk, and would miss edits that are not there yet.
      await deps.stored()
      if (entry.users > 0 || trees.get(treeId) !== entry) return
      trees.delete(treeId)
      tree.dispose()
    },
    treeIdOf: (tree) => ids.get(tree),
    get: (treeId) => trees.get(treeId)?.tree,
    ids: () => [...trees.keys()],
    show(ops) {
      for (const [treeId, treeOps] of Map.groupBy(ops, (op) => op.treeId)) {
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
    async replace(treeId) {
      const entry = trees.get(treeId)
      const before = await entry?.loading
      if (entry === undefined || before === undefined || trees.get(treeId) !== entry) return
      entry.isReplaced = true
      try {
        await deps.stored()
        const ops = await deps.readTree(treeId)
        if (trees.get(treeId) !== entry) return
        entry.loading = Promise.resolve(fill(treeId, entry, ops))
        before.dispose()
      } finally {
        entry.isReplaced = false
        entry.missed = []
      }
    },
    dispose() {
      for (const { tree, loading } of trees.values()) {
        if (tree !== undefined) tree.dispose()
        else void loading.then((late) => late.dispose()).catch(() => {})
      }
      trees.clear()
    },
  }
}
