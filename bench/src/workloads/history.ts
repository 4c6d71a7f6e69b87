import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

/** What a commit does to the files of a repository. */
export interface Commit {
  readonly set: readonly (readonly [path: string, content: string])[]
  readonly removed: readonly string[]
}

type Line = {
  readonly edits: readonly (
    | readonly ['add' | 'set', path: string, hash: string, bytes: number]
    | readonly ['del', path: string]
    | readonly ['move', from: string, to: string]
  )[]
}

/** The history in tests/data, as edits of a map of files. Its README tells what it is. */
export function* readHistory(): Generator<Commit> {
  const packed = readFileSync(join(import.meta.dirname, '../../../tests/data/kysely.ndjson.gz'))
  const files = new Map<string, string>()
  // A key of RepTree's has no @ in it.
  const keyOf = (path: string): string => path.replaceAll('@', '%40')
  for (const line of String(gunzipSync(packed)).trim().split('\n')) {
    const { edits } = JSON.parse(line) as Line
    const set = new Map<string, string>()
    const removed: string[] = []
    const put = (path: string, content: string): void => {
      files.set(path, content)
      set.set(path, content)
    }
    const remove = (path: string): void => {
      if (files.delete(path)) removed.push(path)
      set.delete(path)
    }
    for (const edit of edits) {
      if (edit[0] === 'del') remove(keyOf(edit[1]))
      else if (edit[0] === 'move') {
        const [from, to] = [keyOf(edit[1]), keyOf(edit[2])]
        put(to, files.get(from) ?? '')
        remove(from)
      } else put(keyOf(edit[1]), `${edit[2]} ${edit[3]}`)
    }
    yield { set: [...set], removed }
  }
}
