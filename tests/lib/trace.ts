import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

/** A commit of a repository's history, as edits of its file tree. */
export interface TraceCommit {
  readonly index: number
  /** The commits that the author had seen. Two commits are concurrent if neither is an ancestor of the other. */
  readonly parents: readonly number[]
  /** The number of the author. */
  readonly peer: number
  readonly edits: readonly TraceEdit[]
}

export type TraceEdit =
  | { readonly kind: 'write'; readonly isNew: boolean; readonly path: string; readonly file: FileContent }
  | { readonly kind: 'move'; readonly from: string; readonly to: string }
  | { readonly kind: 'delete'; readonly path: string }

export interface FileContent {
  /** Identifies the content: equal contents have equal blobs. */
  readonly blob: string
  readonly bytes: number
}

const dataFolder = join(import.meta.dirname, '../data')

/** Reads the history called `name` from `tests/data`, in topological order. */
export function readTrace(name: string): TraceCommit[] {
  const file = join(dataFolder, `${name}.ndjson.gz`)
  const lines = gunzipSync(readFileSync(file)).toString('utf8').trimEnd().split('\n')
  return lines.map((line, index) => parseCommit(JSON.parse(line), `${file}:${index + 1}`))
}

/** The repository's files after all commits, which every replica must show in the end. */
export function finalFiles(commits: readonly TraceCommit[]): Map<string, FileContent> {
  const files = new Map<string, FileContent>()
  for (const commit of commits) {
    for (const edit of commit.edits) {
      if (edit.kind === 'write') files.set(edit.path, edit.file)
      if (edit.kind === 'delete') files.delete(edit.path)
      if (edit.kind === 'move') {
        const file = files.get(edit.from)
        if (file === undefined)
          throw new Error(`commit ${commit.index} moves ${edit.from}, which is not there`)
        files.delete(edit.from)
        files.set(edit.to, file)
      }
    }
  }
  return files
}

function parseCommit(line: unknown, where: string): TraceCommit {
  if (!isRecord(line)) throw new Error(`${where}: not an object`)
  const { i, parents, peer, edits } = line
  if (typeof i !== 'number' || typeof peer !== 'number' || !Array.isArray(parents) || !Array.isArray(edits)) {
    throw new Error(`${where}: not a commit`)
  }
  return {
    index: i,
    parents: parents.map(Number),
    peer,
    edits: edits.map((edit: unknown) => parseEdit(edit, where)),
  }
}

function parseEdit(edit: unknown, where: string): TraceEdit {
  const [kind, path, second, bytes]: unknown[] = Array.isArray(edit) ? edit : []
  if (typeof path === 'string') {
    if (kind === 'del') return { kind: 'delete', path }
    if (kind === 'move' && typeof second === 'string') return { kind: 'move', from: path, to: second }
    if ((kind === 'add' || kind === 'set') && typeof second === 'string' && typeof bytes === 'number') {
      return { kind: 'write', isNew: kind === 'add', path, file: { blob: second, bytes } }
    }
  }
  throw new Error(`${where}: not an edit: ${JSON.stringify(edit)}`)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
