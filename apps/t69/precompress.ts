import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'

import type { Plugin } from 'vite'

/** Kinds of files that get smaller. Maps are for developers, who can wait. */
const compressible = /\.(?:js|css|svg|json|webmanifest|ico)$/
/** In bytes. Smaller files travel in one packet anyway. */
const minSize = 1024

/**
 * Writes a `.br` and a `.gz` beside each large file of the build, which the server sends to browsers that take them. So
 * a compression that takes seconds is done once, and a first visit loads a third of the bytes.
 */
export function precompress(): Plugin {
  let folder = ''
  return {
    name: 't69-precompress',
    apply: 'build',
    configResolved({ root, build }) {
      folder = join(root, build.outDir)
    },
    async closeBundle() {
      for (const name of await readdir(folder, { recursive: true })) {
        if (!compressible.test(name)) continue
        const content = await readFile(join(folder, name))
        if (content.length < minSize) continue
        const params = { [constants.BROTLI_PARAM_SIZE_HINT]: content.length }
        await writeFile(join(folder, `${name}.br`), await promisify(brotliCompress)(content, { params }))
        await writeFile(join(folder, `${name}.gz`), await promisify(gzip)(content, { level: 9 }))
      }
    },
  }
}
