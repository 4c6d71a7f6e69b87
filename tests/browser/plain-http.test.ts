import { once } from 'node:events'
import { createServer } from 'node:http'

import type { Browser, BrowserContext } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { launchChromium } from '../lib/chromium.ts'
import { freePort, startServer, type ServerProcess } from '../lib/server-process.ts'
import { accountOf, enableSync, message, openT69, say, signUp, spaceOf, synced } from '../lib/t69-page.ts'

/**
 * Over plain HTTP at a name of the home network, browsers leave out Web Locks, the clipboard, service workers and more.
 * `t69.home` leads to this machine.
 */

let browser: Browser
let server: ServerProcess
let url: string
beforeAll(async () => {
  browser = await launchChromium(undefined, ['--host-resolver-rules=MAP t69.home 127.0.0.1'])
  server = await startServer()
  url = `http://t69.home:${new URL(server.url).port}/`
})
afterAll(async () => {
  await browser.close()
  await server[Symbol.asyncDispose]()
})

async function openTab(context: BrowserContext) {
  context.setDefaultTimeout(20_000)
  const page = await context.newPage()
  await openT69(page, url)
  expect(await page.evaluate(() => [isSecureContext, 'locks' in navigator])).toEqual([false, false])
  return page
}

test('tabs that open at once create one space, show each other what is written, and sync through one of them', async () => {
  await using context = await browser.newContext()
  const tabs = await Promise.all([openTab(context), openTab(context), openTab(context)])
  const [first, second, third] = tabs
  expect(new Set(await Promise.all(tabs.map((tab) => spaceOf(tab)))).size).toBe(1)
  await signUp(first, accountOf('Anna'))
  await enableSync(first)
  await say(first, 'Bread')
  for (const tab of [second, third]) {
    await tab.getByTestId('tree-item').first().click()
    await message(tab, 'Bread').waitFor()
    await synced(tab)
  }
  // Whichever of them leads goes, one by closing and one by a crash.
  await first.close()
  await say(second, 'Butter')
  await synced(second)
  await message(third, 'Butter').waitFor()
  const crashed = second.waitForEvent('crash')
  // This never resolves: the process that would answer is dead.
  void second.goto('chrome://crash').catch(() => {})
  await crashed
  await say(third, 'Cheese')
  await synced(third)

  await using elsewhere = await browser.newContext()
  expect(await (await openTab(elsewhere)).getByTestId('message').count()).toBe(0)
})

test('an invite link is copied, and the page says that it needs its server', async () => {
  await using context = await browser.newContext()
  const page = await openTab(context)
  await page.getByTestId('needs-server').waitFor()
  await signUp(page, accountOf('Ben'))
  await enableSync(page)
  await page.getByTestId('share').click()
  await page.getByTestId('create-invite').click()
  const link = await page.getByTestId('invite-link').inputValue()
  await page.getByTestId('copy-invite').click()
  await page.getByText('Copied', { exact: true }).waitFor()
  await page.getByTestId('close-dialog').click()
  await page.getByTestId('composer').focus()
  await page.keyboard.press('Control+V')
  expect(await page.getByTestId('composer').inputValue()).toBe(link)
  expect(link.startsWith(`${url}invite/`)).toBe(true)
})

test('a page of another port, which shares the cookie, cannot use or end the session', async () => {
  await using context = await browser.newContext()
  const page = await openTab(context)
  await signUp(page, accountOf('Cleo'))
  const other = await context.newPage()
  const program = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Another program</h1>')
  })
  const port = await freePort()
  await once(program.listen(port, '127.0.0.1'), 'listening')
  await using stack = new AsyncDisposableStack()
  stack.defer(() => {
    program.closeAllConnections()
    program.close()
  })
  await other.goto(`http://t69.home:${port}/`)
  const before = server.log().length
  await other.evaluate(async (base) => {
    const post = (path: string, headers: Record<string, string>, body?: string) =>
      fetch(`${base}api/auth/${path}`, {
        method: 'POST',
        credentials: 'include',
        mode: 'content-type' in headers ? 'cors' : 'no-cors',
        headers,
        ...(body === undefined ? {} : { body }),
      }).catch(() => 'the answer is kept from it')
    for (const path of ['logout', 'refresh']) {
      await post(path, {})
      await post(path, { 'content-type': 'application/json' }, '{}')
    }
  }, url)
  // What it can send arrives, and is refused. JSON it cannot send.
  for (const path of ['logout', 'refresh']) {
    await expect.poll(() => answers(path, before)).toEqual([403])
  }
  expect(server.log()).toContain(`"origin":"http://t69.home:${port}"`)
  const renewed = await page.evaluate(async () => {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch('api/auth/refresh', { method: 'POST', headers, body: '{}' })
    return response.status
  })
  expect(renewed).toBe(200)
})

/** The statuses that the server has answered with, from its log after a position in it. */
function answers(path: string, after: number): number[] {
  const pattern = new RegExp(`"method":"POST","route":"/api/auth/${path}","status":(\\d+)`, 'g')
  return [...server.log().slice(after).matchAll(pattern)].map(([, status]) => Number(status))
}
