import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { test } from 'vitest'

import { launchChromium } from '../chromium.ts'
import { deployedApp } from '../deployed-app.ts'
import { createDevice, type Device } from '../device.ts'
import { createNetworkLink } from '../network-link.ts'
import { startServer, type ServerProcess } from '../server-process.ts'
import { artifacts, slug } from '../story.ts'
import type { DrivenPage } from './driven-page.ts'
import type { Engine, LaunchOptions } from './engine.ts'
import { watchApp } from './watched-app.ts'

/** What a story of other engines is told with. */
export interface EngineStage {
  readonly server: ServerProcess
  /** A browser of the engine, with a profile and a network link of its own, and one page. */
  device(engine: Engine, name: string, options?: Omit<LaunchOptions, 'profileDir'>): Promise<EngineDevice>
  /** A device of the other stories. */
  chromium(name: string): Promise<Device>
  /** Replaces the app by another version of it: see `DeployedApp`. */
  deploy(version: string): Promise<void>
  /** How many sockets are open at the server. */
  connections(): Promise<number>
  /** Expects errors that match, from now on. */
  expectErrors(pattern: RegExp): void
  /** The errors of all devices, and the requests that the server refused, that were not expected. */
  errors(): Promise<readonly string[]>
  skip(why: string): never
}

export interface EngineDevice extends AsyncDisposable {
  readonly name: string
  /** The first page since the browser was opened. */
  readonly page: DrivenPage
  /** The server's address through this device's link. */
  readonly url: string
  newPage(): Promise<DrivenPage>
  /** Closes the browser, and opens it again with the same profile. */
  restart(): Promise<void>
  errors(): Promise<readonly string[]>
}

const metricsToken = 'the-token-of-somebody-who-reads-the-metrics'

/**
 * Defines a browser test in other engines. It is skipped where one is not installed, and fails on errors that the story
 * did not expect. A failed one leaves pictures of its pages and the server's log in `artifacts/`.
 */
export function engineStory(
  needed: readonly Engine[],
  name: string,
  tell: (stage: EngineStage) => Promise<void>,
): void {
  test(name, async ({ skip, task }) => {
    for (const engine of needed) {
      const missing = await engine.missing()
      if (missing !== undefined) skip(`${missing} is not installed`)
    }
    const folder = join(artifacts, slug(`${task.suite?.name ?? ''} ${name}`))
    await rm(folder, { recursive: true, force: true })
    await using app = await deployedApp()
    await watchApp(app.folder)
    const env = { STATIC_DIR: app.folder, LOG_LEVEL: 'debug', METRICS_TOKEN: metricsToken }
    await using server = await startServer({ env })
    await using stack = new AsyncDisposableStack()
    const devices: EngineDevice[] = []
    const others: Device[] = []
    const expected: RegExp[] = []

    async function errors(): Promise<string[]> {
      const found = refusals(server.log())
      for (const device of devices)
        found.push(...(await device.errors()).map((error) => `${device.name}: ${error}`))
      for (const device of others)
        found.push(...device.unexpectedErrors().map((error) => `${device.name}: ${error}`))
      return found.filter((error) => !expected.some((pattern) => pattern.test(error)))
    }

    try {
      await tell({
        server,
        deploy: (version) => app.deploy(version),
        skip,
        errors,
        expectErrors: (pattern) => void expected.push(pattern),
        async device(engine, deviceName, options) {
          const device = await createEngineDevice(engine, deviceName, server.url, options)
          stack.use(device)
          devices.push(device)
          return device
        },
        async chromium(deviceName) {
          const browser = stack.use(await launchChromium())
          const device = await createDevice(browser, { name: deviceName, serverUrl: server.url })
          stack.defer(() => device.close())
          others.push(device)
          return device
        },
        async connections() {
          const headers = { authorization: `Bearer ${metricsToken}` }
          const figures = await (await fetch(`${server.url}/metrics`, { headers })).text()
          return Number(figures.match(/^t69_connections (\d+)/m)?.[1])
        },
      })
      const left = await errors()
      if (left.length > 0) throw new Error(`errors that the story did not expect:\n${left.join('\n')}`)
    } catch (error) {
      await mkdir(folder, { recursive: true })
      const pictures = [
        ...devices.map((device) => [device.name, () => device.page.picture()] as const),
        ...others.map((device) => [device.name, () => device.page.screenshot()] as const),
      ]
      for (const [deviceName, take] of pictures) {
        const picture = await take().catch(() => undefined)
        if (picture !== undefined) await writeFile(join(folder, `${slug(deviceName)}.png`), picture)
      }
      const left = await errors().catch((reason: unknown) => [String(reason)])
      await writeFile(join(folder, 'failure.txt'), [String(error), ...left, server.log()].join('\n\n'))
      throw error
    }
  })
}

/** The lines of the server's log about requests that it answered with an error. */
function refusals(log: string): string[] {
  return log.split('\n').filter((line) => /"status":[45]\d\d.*"msg":"(answered|refused)"/.test(line))
}

async function createEngineDevice(
  engine: Engine,
  name: string,
  serverUrl: string,
  options: Omit<LaunchOptions, 'profileDir'> = {},
): Promise<EngineDevice> {
  await using stack = new AsyncDisposableStack()
  const link = stack.use(await createNetworkLink(serverUrl))
  const profileDir = await mkdtemp(join(tmpdir(), 't69-profile-'))
  stack.defer(() => rm(profileDir, { recursive: true, force: true, maxRetries: 5 }))
  const launch = () => engine.launch({ ...options, profileDir })
  let browser = await launch()
  stack.defer(() => browser[Symbol.asyncDispose]())
  let pages: DrivenPage[] = []
  /** Of browsers that were closed. */
  const past: string[] = []
  async function newPage(): Promise<DrivenPage> {
    const page = await browser.newPage()
    pages.push(page)
    return page
  }
  async function errors(): Promise<string[]> {
    const noted = await Promise.all(pages.map((one) => one.errors()))
    return [...past, ...browser.errors(), ...noted.flat()]
  }
  let page = await newPage()
  const resources = stack.move()
  return {
    name,
    url: link.url,
    get page() {
      return page
    },
    newPage,
    errors,
    async restart() {
      past.push(...(await errors()).slice(past.length))
      await browser[Symbol.asyncDispose]()
      pages = []
      browser = await launch()
      page = await newPage()
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}
