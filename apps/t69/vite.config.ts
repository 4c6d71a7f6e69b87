import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defaultClientConditions, defineConfig } from 'vite'
import { wuchale } from 'wuchale/vite'

import { base, chunkOf, storage } from './chunks.ts'
import { firstLoad } from './first-load.ts'
import { onlyWoff2 } from './fonts.ts'
import { laterTexts } from './later-texts.ts'
import { leanZod } from './lean-zod.ts'
import { plainIcons } from './plain-icons.ts'
import { precompress } from './precompress.ts'
import { serviceWorker } from './service-worker.ts'

/** Baseline 2024: see "Browsers" in README.md. */
const browsers = ['chrome131', 'edge131', 'firefox133', 'safari18.2']

const server = process.env['T69_SERVER'] ?? 'http://localhost:3000'

export default defineConfig({
  // Every path in the page is relative to its `<base>`, which the server fills in.
  base: './',
  // Workspace packages resolve to their source, so the app builds before they are built.
  resolve: {
    conditions: ['source', ...defaultClientConditions],
    // Dexie's build for browsers that know `async`: smaller, and it needs nothing of CommonJS.
    alias: [{ find: /^dexie$/, replacement: 'dexie/dist/modern/dexie.mjs' }],
  },
  build: {
    target: browsers,
    sourcemap: true,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        codeSplitting: {
          // What every page needs, in one file rather than in ten: a header of 1 kB is saved with each. Zod's setting,
          // which has to come before the first schema, is among it.
          groups: [
            { name: 'storage', test: storage, priority: 1 },
            { name: 'base', test: base, priority: 2 },
            { name: chunkOf, debugName: 'first screen' },
          ],
        },
      },
    },
  },
  worker: { format: 'es' },
  server: {
    host: '127.0.0.1',
    proxy: { '/api': server, '/socket.io': { target: server, ws: true } },
  },
  plugins: [
    leanZod(),
    wuchale(),
    laterTexts(),
    plainIcons(),
    onlyWoff2(),
    svelte({ compilerOptions: { runes: true } }),
    firstLoad(),
    serviceWorker(),
    precompress(),
  ],
})
