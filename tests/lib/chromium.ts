import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'

import { chromium, type Browser, type BrowserContext, type BrowserContextOptions } from 'playwright-core'

/** A Chromium that starts on this machine, and what it needs in its environment. */
export interface Chromium {
  readonly executablePath: string
  readonly env: Readonly<Record<string, string>>
}

const systemNames = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

// No QUIC and no background traffic: a story's network is the server under test and nothing else.
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

/** `CHROMIUM_PATH`, else the system's, else the one that `@sparticuz/chromium` carries, unpacked once. */
export async function findChromium(): Promise<Chromium> {
  const path = process.env['CHROMIUM_PATH'] || (await findInPath(systemNames))
  return path === undefined ? await carriedChromium() : { executablePath: path, env: {} }
}

/** One browser for a run of stories; each device is a context of its own, with its own storage. */
export async function launchChromium(found?: Chromium): Promise<Browser> {
  const { executablePath, env } = found ?? (await findChromium())
  return await chromium.launch({ executablePath, args: flags, env: { ...process.env, ...env } })
}

/** A browser whose profile is on disk, so that it can be killed as a process and started again. */
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

async function findInPath(names: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
      const path = join(folder, name)
      if (folder !== '' && (await isExecutable(path))) return path
    }
  }
  return undefined
}

async function isExecutable(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}

/**
 * Unpacks the npm package's Chromium, the libraries it needs among it, into a folder of this checkout:
 * the package itself would share one half-written folder in the OS's temp dir with every user and process.
 */
async function carriedChromium(): Promise<Chromium> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(
      `no Chromium was found, and the one that is carried runs on Linux (x64), not on ${process.platform} (${process.arch}): ` +
        'name a Chromium or Chrome in CHROMIUM_PATH',
    )
  }
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
  // In a process of its own, since the package goes by the environment when it is imported and when it is called.
  const unpack = `await (await import('@sparticuz/chromium')).default.executablePath()`
  await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', unpack], {
    cwd: import.meta.dirname,
    env: {
      ...process.env,
      TMPDIR: scratch,
      // Without these two the package leaves out the libraries that a bare system lacks.
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs22.x',
      AWS_LAMBDA_JS_RUNTIME: 'nodejs22.x',
    },
  })
  // Its own font configuration looks in Lambda's folders. A Chromium without any font aborts at the first fallback.
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
  // Whoever is second to rename finds the folder taken by an equal one.
  await rename(scratch, home).catch(() => rm(scratch, { recursive: true, force: true }))
}

/** Ends the browser's process without a word (SIGKILL) and waits until it is gone. */
export async function killBrowser(context: BrowserContext): Promise<void> {
  const kill = await browserKiller(context)
  await kill()
}

/** `killBrowser` in two steps: the process is found now, so that it can be ended at an exact moment. */
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
