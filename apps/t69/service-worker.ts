import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'

import type { Plugin } from 'vite'

import { firstLoadOf, firstModules, headScriptOf } from './first-load.ts'

/** What shows messages: no first visit needs it, and nothing can be read offline without it. */
const message = /\/ui\/chat\/message\/Message\.svelte$/
/** The language that the app falls back to: what is cached without anybody having asked for it. */
const fallbackLocale = 'en'

/**
 * Writes `sw.js` into the build: src/service-worker.js with the lists of the build's files and a version that changes
 * whenever one of them does. The library for this, workbox, would bring 270 packages.
 */
export function serviceWorker(): Plugin {
  return {
    name: 't69-service-worker',
    apply: 'build',
    generateBundle: {
      // After Vite has written the page.
      order: 'post',
      async handler(_options, bundle) {
        const built = Object.values(bundle).filter(({ fileName }) => !fileName.endsWith('.map'))
        const version = createHash('sha256')
        for (const file of built) version.update(file.type === 'chunk' ? file.code : file.source)
        const template = await readFile(new URL('./src/service-worker.js', import.meta.url), 'utf8')
        version.update(template)
        const load = firstLoadOf(bundle, [...firstModules, message])
        const first = [
          '',
          'icon.svg',
          'manifest.webmanifest',
          headScriptOf(load),
          ...load.scripts,
          ...load.styles,
          ...(load.byLocale[fallbackLocale] ?? []),
        ]
        for (const path of first) version.update(path)
        const rest = built
          .map(({ fileName }) => fileName)
          .filter((path) => path.startsWith('assets/') && !first.includes(path))
        this.emitFile({
          type: 'asset',
          fileName: 'sw.js',
          source: template
            .replace("'%VERSION%'", JSON.stringify(version.digest('hex').slice(0, 16)))
            .replace('[/* %FIRST% */]', JSON.stringify(first))
            .replace('[/* %REST% */]', JSON.stringify(rest)),
        })
      },
    },
  }
}
