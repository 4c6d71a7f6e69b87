import type { ImportedTree, ImportedVertex } from '@t69/sync-client'

/** A space as a file gives it: its trees, read as they are asked for. */
export interface ImportedSpace {
  readonly name: string
  /** How many chats it has at most, to show how far the import is. */
  readonly chats: number
  readonly trees: Iterable<ImportedTree>
}

export type Properties = ImportedVertex['properties']

/** 32 hex digits. `crypto.randomUUID` is not there over plain HTTP. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** A list of vertices that grows below its root. */
export function growTree(rootProperties: Properties): {
  readonly vertices: ImportedVertex[]
  /** Without a parent, below the root. Returns the new vertex's id. */
  add(properties: Properties, parentId?: string): string
} {
  const root = 'root'
  const vertices: ImportedVertex[] = [{ id: root, parentId: null, properties: rootProperties }]
  return {
    vertices,
    add(properties, parentId = root) {
      const id = newId()
      vertices.push({ id, parentId, properties })
      return id
    },
  }
}
