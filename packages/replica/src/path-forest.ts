/**
 * A link-cut forest (Sleator and Tarjan, "A data structure for dynamic trees", 1983): asks whether one node
 * is above another in O(log n) amortised, however deep they are. Each node's preferred path is a splay tree,
 * the shallower to the left; the top of a splay tree points `up` to the parent of its path. A node that no
 * question has touched is a path of its own: attaching and detaching it is one assignment.
 */
export interface ForestNode {
  up: ForestNode | undefined
  left: ForestNode | undefined
  right: ForestNode | undefined
}

/** Puts a root, with all below it, under `parent`, which must not be below it. */
export function attach(root: ForestNode, parent: ForestNode): void {
  if (root.up !== undefined) expose(root)
  root.up = parent
}

/** Makes a node that has a parent a root, with all below it. */
export function detach(node: ForestNode): void {
  if (!isTop(node) || node.left !== undefined) {
    expose(node)
    if (node.left !== undefined) node.left.up = undefined
    node.left = undefined
  }
  node.up = undefined
}

/** Whether `node` is somewhere below `ancestor`. */
export function isBelow(node: ForestNode, ancestor: ForestNode): boolean {
  if (node === ancestor) return false
  expose(node)
  // Now the path from the root to `node` is one splay tree with `node` on top, unless `ancestor` takes that place.
  splay(ancestor)
  return node.up !== undefined
}

function isTop(node: ForestNode): boolean {
  return node.up === undefined || (node.up.left !== node && node.up.right !== node)
}

function expose(node: ForestNode): void {
  let deeper: ForestNode | undefined
  for (let at: ForestNode | undefined = node; at !== undefined; at = at.up) {
    splay(at)
    at.right = deeper
    deeper = at
  }
  splay(node)
}

function splay(node: ForestNode): void {
  while (!isTop(node)) {
    const parent = node.up
    if (parent === undefined) return
    const grandparent = isTop(parent) ? undefined : parent.up
    if (grandparent !== undefined) {
      rotate((grandparent.left === parent) === (parent.left === node) ? parent : node)
    }
    rotate(node)
  }
}

function rotate(node: ForestNode): void {
  const parent = node.up
  if (parent === undefined) return
  const above = parent.up
  if (above?.left === parent) above.left = node
  else if (above?.right === parent) above.right = node
  if (parent.left === node) {
    parent.left = node.right
    if (node.right !== undefined) node.right.up = parent
    node.right = parent
  } else {
    parent.right = node.left
    if (node.left !== undefined) node.left.up = parent
    node.left = parent
  }
  parent.up = node
  node.up = above
}
