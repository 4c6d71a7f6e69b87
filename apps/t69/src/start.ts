import './app.css'
import { createSyncClient } from '@t69/sync-client'
import { mount } from 'svelte'

import App from './App.svelte'
import { appBase } from './lib/state/address.ts'
import { AppState } from './lib/state/app-state.svelte.ts'
import { NewVersion } from './lib/state/new-version.svelte.ts'

const client = createSyncClient({
  url: appBase().href,
  onBlocked() {
    const text = 'An older version of t69 is open in another tab. Close that tab to continue here.'
    app.ui.show({ kind: 'error', text })
    void client.ready.then(() => app.ui.hideNotice())
  },
})
const app = new AppState(client)
const target = document.getElementById('app')
if (target === null) throw new Error('The page has no #app')
const newVersion = new NewVersion()
mount(App, { target, props: { app, newVersion } })

void app.ui.attempt(() => app.start())

// Vite's development server has no service worker.
if (import.meta.env.PROD && 'serviceWorker' in navigator)
  void newVersion.register(new URL('sw.js', appBase())).catch(() => undefined)
