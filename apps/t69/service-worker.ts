import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'

import type { Plugin } from 'vite'

/**
 * Writes `sw.js` into the build: src/service-worker.js with the list of the build's files and a version that changes
 * whenever one of them does. The library for this, workbox, would bring 270 packages.
 */
export function serviceWorker(): Plugin {
  return {
    name: 't69-service-worker',
    apply: 'build',
    async generateBundle(_options, bundle) {
      const built = Object.values(bundle).filter((file) => !file.fileName.endsWith('.map'))
      const version = createHash('sha256')
      for (const file of built) version.update(file.type === 'chunk' ? file.code : file.source)
      const template = await readFile(new URL('./src/service-worker.js', import.meta.url), 'utf8')
      version.update(template)
      const shell = [
        '',
        'icon.svg',
        'manifest.webmanifest',
        'theme.js',
        ...built.map((file) => file.fileName),
      ]
      this.emitFile({
        type: 'asset',
        fileName: 'sw.js',
        source: template
          .replace("'%VERSION%'", JSON.stringify(version.digest('hex').slice(0, 16)))
          .replace('[/* %SHELL% */]', JSON.stringify(shell.filter((path) => path !== 'index.html'))),
      })
    },
  }
}
