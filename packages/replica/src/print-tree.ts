import type { VertexNode } from './vertex-node.ts'

/** The subtree as indented text, for debugging. Children are sorted by name, then by id. */
export function printTree(tree: { getVertex(id: string): VertexNode | undefined }, vertexId: string): string {
  let text = ''
  const start = tree.getVertex(vertexId)
  const stack = start === undefined ? [] : [{ node: start, indent: '', isLast: true }]
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { node, indent, isLast } = next
    const inner = indent + (isLast ? '    ' : '│   ')
    text += `${indent}${isLast ? '└── ' : '├── '}${node.id}\n`
    for (const { key, value } of node.getAllProperties()) {
      text += `${inner}• ${key}: ${JSON.stringify(value)}\n`
    }
    const children = node.orderedChildren().toSorted((a, b) => {
      const [nameA, nameB] = [sortName(a), sortName(b)]
      return nameA === nameB ? 0 : nameA < nameB ? -1 : 1
    })
    children.reverse()
    children.forEach((child, index) => stack.push({ node: child, indent: inner, isLast: index === 0 }))
  }
  return text
}

/** The text by which siblings are sorted: those with a name come first. */
function sortName(node: VertexNode): string {
  const name = node.getProperty('name')
  return typeof name === 'string' && name !== '' ? `0${name}\n${node.id}` : `1${node.id}`
}
