import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

import { chromium, type Browser, type BrowserContext, type BrowserContextOptions } from 'playwright-core'

import { findInPath, isExecutable } from './find-in-path.ts'

/** A Chromium that starts on this machine, and the environment variables that it needs. */
export interface Chromium {
  readonly executablePath: string
  readonly env: Readonly<Record<string, string>>
}

const systemNames = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

// Without QUIC and background traffic, the only network traffic of a story is with the server under test.
const flags = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Containers often have a /dev/shm of 64 MB, too little for a page.
  '--disable-dev-shm-usage',
]

/**
 * Finds a Chromium: the one in `CHROMIUM_PATH`; or that of `@sparticuz/chromium`, which is unpacked once, so that a story
 * meets the same browser everywhere; or the system's, where the package has none.
 */
export async function findChromium(): Promise<Chromium> {
  const chosen = process.env['CHROMIUM_PATH']
  if (chosen) return { executablePath: chosen, env: {} }
  if (process.platform === 'linux' && process.arch === 'x64') return await carriedChromium()
  const path = await findInPath(systemNames)
  if (path === undefined) {
    throw new Error(
      `no Chromium was found on ${process.platform} (${process.arch}): set CHROMIUM_PATH to a Chromium or Chrome`,
    )
  }
  return { executablePath: path, env: {} }
}

/**
 * Starts the browser for a run of stories. Each device is a context in it, with separate storage. `more` adds to the
 * command line.
 */
export async function launchChromium(found?: Chromium, more: readonly string[] = []): Promise<Browser> {
  const { executablePath, env } = found ?? (await findChromium())
  return await chromium.launch({
    executablePath,
    args: [...flags, ...more],
    env: { ...process.env, ...env },
  })
}

/** Starts a browser with its profile on disk, so that its process can be killed and started again. */
export async function launchProfile(
  profileDir: string,
  options: BrowserContextOptions = {},
): Promise<BrowserContext> {
  const { executablePath, env } = await findChromium()
  return await chromium.launchPersistentContext(profileDir, {
    ...options,
    executablePath,
    args: flags,
    env: { ...process.env, ...env },
  })
}

/**
 * Unpacks the npm package's Chromium, with the libraries that it needs, into a folder of this checkout. The package
 * itself would use one folder in the OS's temp dir, shared with every user and possibly half-written.
 */
async function carriedChromium(): Promise<Chromium> {
  const manifest = createRequire(import.meta.url)
    .resolve('@sparticuz/chromium')
    .replace(/build.*$/, 'package.json')
  const version = (await readFile(manifest, 'utf8')).match(/"version": "([^"]+)"/)?.[1] ?? 'unknown'
  const home = join(import.meta.dirname, '../node_modules/.cache', `chromium-${version}`)
  if (!(await isExecutable(join(home, 'chromium')))) await unpackCarried(home)
  return {
    executablePath: join(home, 'chromium'),
    env: {
      LD_LIBRARY_PATH: [join(home, 'al2023/lib'), process.env['LD_LIBRARY_PATH'] ?? '']
        .filter(Boolean)
        .join(':'),
      FONTCONFIG_FILE: join(home, 'fonts.conf'),
    },
  }
}

async function unpackCarried(home: string): Promise<void> {
  await mkdir(dirname(home), { recursive: true })
  const scratch = await mkdtemp(`${home}-`)
  // In a separate process, because the package reads the environment when it is imported and when it is called.
  const unpack = `await (await import('@sparticuz/chromium')).default.executablePath()`
  await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', unpack], {
    cwd: import.meta.dirname,
    env: {
      ...process.env,
      TMPDIR: scratch,
      // Without these two, the package leaves out libraries that a minimal system lacks.
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs22.x',
      AWS_LAMBDA_JS_RUNTIME: 'nodejs22.x',
    },
  })
  // The package's font configuration names Lambda's folders. Chromium without any font aborts at the first fallback.
  await writeFile(
    join(scratch, 'fonts.conf'),
    `<?xml version="1.0"?>
<fontconfig>
  <dir>${join(home, 'fonts')}</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>${join(home, 'fonts-cache')}</cachedir>
</fontconfig>
`,
  )
  // Another process may have unpacked an equal folder in the meantime.
  await rename(scratch, home).catch(() => rm(scratch, { recursive: true, force: true }))
}

/** Kills the browser's process (SIGKILL) and waits until it is gone. */
export async function killBrowser(context: BrowserContext): Promise<void> {
  const kill = await browserKiller(context)
  await kill()
}

/** `killBrowser` in two steps: finds the process now, so that it can be killed at an exact moment. */
export async function browserKiller(context: BrowserContext): Promise<() => Promise<void>> {
  const browser = context.browser()
  if (browser === null) throw new Error('the context has no browser of its own')
  const session = await browser.newBrowserCDPSession()
  const { processInfo } = await session.send('SystemInfo.getProcessInfo')
  const main = processInfo.find(({ type }) => type === 'browser')
  if (main === undefined) throw new Error('the browser names no process')
  const gone = new Promise<void>((resolve) => context.once('close', () => resolve()))
  return async () => {
    process.kill(main.id, 'SIGKILL')
    await gone
  }
}
