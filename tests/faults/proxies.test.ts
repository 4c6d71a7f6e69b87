import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { launchChromium } from '../lib/chromium.ts'
import { isInstalled, proxyKinds, readmeLines, startProxy, type ProxyKind } from '../lib/proxies.ts'
import { freePort, startServer } from '../lib/server-process.ts'
import { accountOf, enableSync, invite, messages, openT69, say, signUp, synced } from '../lib/t69-page.ts'

/**
 * The proxies that people put in front of the server, each started on this machine with the lines of our README, over
 * plain HTTP at a name and a port of its own: there browsers say least about a page. `nas.home` leads to this machine.
 */

let browser: Browser
beforeAll(async () => {
  browser = await launchChromium(undefined, ['--host-resolver-rules=MAP nas.home 127.0.0.1'])
})
afterAll(() => browser.close())

interface Setting {
  readonly path?: string
  readonly env?: (url: string) => Readonly<Record<string, string>>
  /** Changes the README's lines. */
  readonly change?: (lines: string) => string
}

/** Signs up, syncs over a WebSocket, renews the session twice, and goes on syncing. Returns the messages on screen. */
async function liveBehind(
  kind: ProxyKind,
  { path = '', env, change = (it) => it }: Setting,
): Promise<string[]> {
  const listen = await freePort()
  const url = `http://nas.home:${listen}${path}`
  await using server = await startServer({ env: { ...env?.(url), ACCESS_TOKEN_TTL: '2s' } })
  const lines = change(await readmeLines(kind))
  await using proxy = await startProxy(kind, lines, { listen, server: Number(new URL(server.url).port) })
  await using context = await browser.newContext()
  const page = await context.newPage()
  try {
    const socket = page.waitForEvent('websocket')
    await openT69(page, `${url}/`)
    const account = accountOf('Anna')
    await signUp(page, account)
    expect((await renewal(page)).status()).toBe(200)
    await enableSync(page)
    expect(new URL((await socket).url()).pathname).toBe(`${path}/socket.io/`)
    await say(page, 'before the session is renewed')
    await synced(page)
    expect((await renewal(page)).status()).toBe(200)
    await say(page, 'after the session is renewed')
    await synced(page)
    expect(await page.evaluate(() => isSecureContext)).toBe(false)
    const link = await invite(page, 'viewer')
    expect(link.startsWith(`${url}/invite/`)).toBe(true)
    const guest = await context.newPage()
    await openT69(guest, link)
    return await messages(page)
  } catch (error) {
    const folder = join(import.meta.dirname, '../../artifacts')
    await mkdir(folder, { recursive: true })
    await page.screenshot({ path: join(folder, `proxy-${kind.name}.png`) })
    await writeFile(join(folder, `proxy-${kind.name}.txt`), [lines, proxy.log(), server.log()].join('\n\n'))
    throw error
  }
}

const renewal = (page: Page) =>
  page.waitForResponse((response) => response.url().endsWith('/api/auth/refresh'))

const inFront = (url: string) => ({ PUBLIC_URL: url, TRUST_PROXY: '127.0.0.1' })

const settings: readonly (readonly [string, (kind: ProxyKind) => Setting])[] = [
  ['with the lines of the README', () => ({ env: inFront })],
  ['where nobody told the server of the proxy', () => ({})],
  [
    'below a path, which the proxy leaves',
    ({ below }) => ({ path: '/t69', env: inFront, change: below.leaves }),
  ],
  [
    'below a path, which the proxy takes off',
    ({ below }) => ({ path: '/t69', env: inFront, change: below['takes off'] }),
  ],
]

describe.concurrent.each(proxyKinds)(
  'behind $name, people sign in, sync over a WebSocket and stay signed in',
  (kind) => {
    test.for(settings)('%s', async ([, settingOf], context) => {
      if (!(await isInstalled(kind))) context.skip(`${kind.program} is not installed`)
      expect(await liveBehind(kind, settingOf(kind))).toEqual([
        'before the session is renewed',
        'after the session is renewed',
      ])
    })
  },
)
