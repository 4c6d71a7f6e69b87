import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { BrowserContext, Page } from 'playwright-core'

import { launchProfile } from './chromium.ts'
import { hostPage } from './page-host.ts'

/** A browser with a profile on disk, and a site whose pages expose the storage as `lab`. */
export interface StorageLab extends AsyncDisposable {
  readonly url: string
  /** The folder of the browser's profile. */
  readonly profile: string
  /** The running browser. */
  readonly context: BrowserContext
  openPage(path?: string): Promise<Page>
  /** Starts the browser again on the same profile, and ends the old one if it still runs. */
  relaunch(): Promise<void>
}

export async function openStorageLab(): Promise<StorageLab> {
  const host = await hostPage(join(import.meta.dirname, '../browser/pages/storage-page.ts'))
  const profile = await mkdtemp(join(tmpdir(), 't69-storage-'))
  let context = await launchProfile(profile)
  return {
    url: host.url,
    profile,
    get context() {
      return context
    },
    async openPage(path = '/') {
      const page = await context.newPage()
      await page.goto(host.url + path)
      return page
    },
    async relaunch() {
      await context.close()
      context = await launchProfile(profile)
    },
    async [Symbol.asyncDispose]() {
      await context.close()
      await host[Symbol.asyncDispose]()
      await rm(profile, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
