import * as Automerge from '@automerge/automerge'
import { decodeBatch, encodeBatch, randomHexId, type SpaceId, type TreeId } from '@t69/protocol'
import { Replica, toTreeOperation, toVertexOperation } from '@t69/replica'
import * as Y from 'yjs'

/** A document in memory that maps texts to texts. */
export interface LocalDoc {
  /** Sets the texts, in one transaction where there is such a thing. Returns what other replicas receive. */
  write(texts: readonly (readonly [key: string, text: string])[]): Uint8Array
  receive(page: Uint8Array): void
  /** The whole state, for `load`; undefined where that takes the pages. */
  save(): Uint8Array | undefined
  /** How many texts it has. */
  size(): number
}

export interface ReplicaKind {
  readonly name: string
  readonly packages: readonly string[]
  create(): LocalDoc
  /** One that others write. */
  empty(): LocalDoc
  /** From a state, or from all pages. */
  load(kept: readonly Uint8Array[]): LocalDoc
}

const spaceId = randomHexId() as SpaceId
const treeId = randomHexId() as TreeId

function t69(tree: Replica): LocalDoc {
  return {
    write: (texts) => {
      for (const [key, text] of texts) tree.root?.setProperty(key, text)
      const ops = tree.popLocalOps().map((op) => toTreeOperation(op, { spaceId, treeId }))
      return encodeBatch({ spaceId, ops })
    },
    receive: (page) => tree.merge(decodeBatch(page).ops.map(toVertexOperation)),
    save: () => undefined,
    size: () => Object.keys(tree.root?.getProperties() ?? {}).filter((key) => key !== '_c').length,
  }
}

function yjs(): LocalDoc {
  const doc = new Y.Doc()
  const map = doc.getMap<string>('texts')
  return {
    write: (texts) => {
      const before = Y.encodeStateVector(doc)
      doc.transact(() => {
        for (const [key, text] of texts) map.set(key, text)
      })
      return Y.encodeStateAsUpdate(doc, before)
    },
    receive: (page) => Y.applyUpdate(doc, page),
    save: () => Y.encodeStateAsUpdate(doc),
    size: () => map.size,
  }
}

type Texts = { texts: Record<string, string> }

function automerge(first: Automerge.Doc<Texts>): LocalDoc {
  let doc = first
  return {
    write: (texts) => {
      doc = Automerge.change(doc, (draft) => {
        for (const [key, text] of texts) draft.texts[key] = text
      })
      return Automerge.saveIncremental(doc)
    },
    receive: (page) => {
      doc = Automerge.loadIncremental(doc, page)
    },
    save: () => Automerge.save(doc),
    size: () => Object.keys(doc.texts).length,
  }
}

export const replicaKinds: readonly ReplicaKind[] = [
  {
    name: 't69',
    packages: [],
    create: () => t69(Replica.create(treeId)),
    empty: () => t69(new Replica()),
    load: (pages) => received(t69(new Replica()), pages),
  },
  {
    name: 'Yjs',
    packages: ['yjs'],
    create: yjs,
    empty: yjs,
    load: (kept) => received(yjs(), kept),
  },
  {
    name: 'Automerge',
    packages: ['@automerge/automerge'],
    create: () => automerge(Automerge.from<Texts>({ texts: {} })),
    empty: () => automerge(Automerge.init()),
    load: ([kept = new Uint8Array()]) => automerge(Automerge.load(kept)),
  },
]

function received(doc: LocalDoc, pages: readonly Uint8Array[]): LocalDoc {
  for (const page of pages) doc.receive(page)
  return doc
}
