import { openIdentityProvider } from '@t69/server/testing/identity-provider'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import { startServer } from '../lib/server-process.ts'
import { story } from '../lib/story.ts'
import { accountOf, message, moment, newChat, openT69, say, showSidebar, signUp, synced } from '../lib/t69-page.ts'

const handheld = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }

/** Presses the button of the page that is open, and the one of the provider's. */
async function throughProvider(page: Page): Promise<void> {
  await page.getByTestId('provider').click()
  await page.locator('#continue').click()
}
