import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defaultClientConditions, defineConfig } from 'vite'

import { precompress } from './precompress.ts'
import { serviceWorker } from './service-worker.ts'

/** Baseline 2024: see "Browsers" in README.md. */
const browsers = ['chrome131', 'edge131', 'firefox133', 'safari18.2']

const server = process.env['T69_SERVER'] ?? 'http://localhost:3000'

export default defineConfig({
  // Every path in the page is relative to its `<base>`, which the server fills in.
  base: './',
  // Workspace packages resolve to their source, so the app builds before they are built.
  resolve: { conditions: ['source', ...defaultClientConditions] },
  // One script, so that a service worker that takes over from an older one takes nothing from open tabs.
  build: { target: browsers, sourcemap: true, rolldownOptions: { output: { codeSplitting: false } } },
  server: {
    host: '127.0.0.1',
    proxy: { '/api': server, '/socket.io': { target: server, ws: true } },
  },
  plugins: [svelte({ compilerOptions: { runes: true } }), serviceWorker(), precompress()],
})
