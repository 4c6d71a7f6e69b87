import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Has the built app in `folder` note what goes wrong in it. WebKit's driver tells nobody what a page logs, and can run
 * nothing before a page does. So the app's first script is preceded by one that notes errors in `window.name`, which
 * outlives a reload and needs no storage.
 */
export async function watchApp(folder: string): Promise<void> {
  const first = join(folder, 'head.js')
  await writeFile(first, `(${String(noteErrors)})()\n${await readFile(first, 'utf8')}`)
  // Otherwise browsers are sent what was compressed before.
  for (const ending of ['.br', '.gz']) await rm(first + ending, { force: true })
}

/** Runs in the page. */
function noteErrors(): void {
  const note = (...what: readonly unknown[]): void => {
    window.name += `${what.map((one) => (one instanceof Error ? `${one.message} ${one.stack}` : String(one))).join(' ')}\0`
  }
  const { error } = console
  console.error = (...args: unknown[]) => {
    note(...args)
    error(...args)
  }
  addEventListener('unhandledrejection', (event) => note('Nobody catches', event.reason))
  addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
    note('The page broke its content policy:', violatedDirective, blockedURI),
  )
  // A page that is left gives up what it loads, which Firefox reports as an error.
  let isLeaving = false
  addEventListener('beforeunload', () => (isLeaving = true))
  // Also of scripts and pictures that do not load, whose events do not bubble.
  addEventListener(
    'error',
    (event) => {
      if (event.target instanceof Element && isLeaving) return
      if (event.target instanceof Element) note('Not loaded:', event.target.outerHTML)
      // What was observed changes once more in the next frame: WebKit reports that as an error, and nothing is wrong.
      else if (!event.message.startsWith('ResizeObserver loop'))
        note('Nobody catches', event.error ?? event.message)
    },
    true,
  )
}

/** What the page and those before it in its tab noted. */
export const readErrors = (): string[] => window.name.split('\0').filter((error) => error !== '')
