import './app.css'
import { createSyncClient } from '@t69/sync-client'
import { mount } from 'svelte'

import App from './App.svelte'
import { Session } from './lib/state/session.svelte.ts'

const client = createSyncClient({
  url: location.origin,
  onBlocked() {
    const text = 'An older version of t69 is open in another tab. Close that tab, and this one goes on.'
    session.ui.show({ kind: 'error', text })
    void client.ready.then(() => session.ui.hideNotice())
  },
})
const session = new Session(client)
const target = document.getElementById('app')
if (target === null) throw new Error('The page has no #app')
mount(App, { target, props: { session } })

void session.ui.attempt(() => session.start())

// Vite's development server has no service worker, and wants none.
if (import.meta.env.PROD && 'serviceWorker' in navigator)
  void navigator.serviceWorker.register('/sw.js', { updateViaCache: 'none' }).catch(() => undefined)
