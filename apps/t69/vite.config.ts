import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defaultClientConditions, defineConfig } from 'vite'

import { serviceWorker } from './service-worker.ts'

const server = process.env['T69_SERVER'] ?? 'http://localhost:3000'

export default defineConfig({
  // Workspace packages resolve to their source, so that building the app needs no build before it.
  resolve: { conditions: ['source', ...defaultClientConditions] },
  // One script: a service worker that takes over under an open tab takes nothing away from it.
  build: { target: 'es2022', sourcemap: true, rolldownOptions: { output: { codeSplitting: false } } },
  server: {
    host: '127.0.0.1',
    proxy: { '/api': server, '/socket.io': { target: server, ws: true } },
  },
  plugins: [svelte({ compilerOptions: { runes: true } }), serviceWorker()],
})
