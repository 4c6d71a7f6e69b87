import { Zip, ZipDeflate } from 'fflate'

import { spaceFileName, spaceFormat, spaceVersion, type FileTree } from './space-file.ts'

/** A zip of a space that is written tree by tree. */
export interface SpaceZip {
  /** First the space's own tree, then those of the chats. */
  add(tree: FileTree): void
  end(): Blob
}

export function createSpaceZip(name: string, exportedAt: Date): SpaceZip {
  const written: BlobPart[] = []
  const zip = new Zip((error, data) => {
    if (error !== null) throw error
    written.push(data.slice())
  })
  const file = new ZipDeflate(spaceFileName, { level: 6 })
  zip.add(file)
  const encoder = new TextEncoder()
  const write = (text: string, isLast = false): void => file.push(encoder.encode(text), isLast)
  const head = { format: spaceFormat, version: spaceVersion, name, exportedAt: exportedAt.toISOString() }
  // The attachments of a later version: `{ path, type, size }` each.
  write(`${JSON.stringify({ ...head, files: [] }).slice(0, -1)},"space":`)
  let trees = 0
  return {
    add(tree) {
      const before = trees === 0 ? '' : trees === 1 ? ',"chats":[\n' : ',\n'
      write(before + JSON.stringify(tree))
      trees++
    },
    end() {
      write(trees === 1 ? ',"chats":[]}' : ']}', true)
      zip.end()
      return new Blob(written, { type: 'application/zip' })
    },
  }
}
