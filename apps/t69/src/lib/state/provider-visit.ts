import type { VisitProvider } from '@t69/protocol'
import type { SyncClient } from '@t69/sync-client'

import { errorText } from '../model/error-text.ts'
import { forgetLink, takeLink } from './invitation.svelte.ts'
import type { Ui } from './ui.svelte.ts'

/** What the app goes on with when somebody comes back from the provider. */
export type AfterVisit = 'sign-in' | 'connect' | 'password' | 'passkeys' | 'address' | 'delete-account'

/** Of this tab: the page is gone while somebody is at the provider. */
const key = 't69-after-provider-visit'

/** Leaves the page for the provider's. Rejects like `SyncClient.visitProvider`. */
export async function leaveForProvider(
  client: Pick<SyncClient, 'visitProvider'>,
  why: VisitProvider,
  after: AfterVisit,
): Promise<void> {
  const url = await client.visitProvider(why)
  try {
    sessionStorage.setItem(key, after)
  } catch {
    // The browser refuses storage: whoever comes back signs in, which is what most go for.
  }
  location.assign(url)
}

function takeAfter(): AfterVisit {
  try {
    const after = sessionStorage.getItem(key)
    sessionStorage.removeItem(key)
    const known = ['connect', 'password', 'passkeys', 'address', 'delete-account'] as const
    return known.find((it) => it === after) ?? 'sign-in'
  } catch {
    // Nothing was kept.
  }
  return 'sign-in'
}

/** Goes on after a visit to the provider, if the page was opened by the end of one. Never rejects. */
export async function endProviderVisit(client: SyncClient, ui: Ui): Promise<void> {
  const end = takeLink('provider')
  forgetLink('provider')
  if (end === null) return
  const after = takeAfter()
  if (end !== 'returned') {
    const text =
      end === 'declined'
        ? 'You did not sign in there. Nothing has changed.'
        : 'Signing in there did not work. Try again.'
    ui.show({ kind: 'error', text })
    return
  }
  switch (after) {
    case 'sign-in':
      return signIn(client, ui)
    case 'connect':
      await ui.attempt(async () => {
        await client.connectProvider()
        ui.show({ kind: 'info', text: 'You can sign in that way from now on.' })
      })
      return
    case 'password':
    case 'passkeys':
    case 'address':
    case 'delete-account':
      ui.openDialog({ kind: after, isConfirmed: true })
  }
}

async function signIn(client: SyncClient, ui: Ui): Promise<void> {
  try {
    await client.signInWithProvider()
  } catch (error) {
    ui.openDialog({ kind: 'auth', form: 'sign-in', why: errorText(error) })
  }
}
