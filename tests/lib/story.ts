import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Browser, BrowserContextOptions } from 'playwright-core'
import { test } from 'vitest'

import { launchChromium } from './chromium.ts'
import { createDevice, type Device } from './device.ts'
import type { NetworkLinkOptions } from './network-link.ts'
import { startServer, type ServerProcess, type ServerProcessOptions } from './server-process.ts'

export const artifacts = join(import.meta.dirname, '../../artifacts')

/** What a story is told with: the built server, a real browser, and people's devices. */
export interface Stage {
  readonly server: ServerProcess
  readonly browser: Browser
  /** A device with its own storage and network, named for its user: "Anna's laptop". */
  device(name: string, context?: BrowserContextOptions, wire?: NetworkLinkOptions): Promise<Device>
  /** Saves a screenshot of the device as `artifacts/<story>/<n>-<device>-<moment>.png`. */
  shot(device: Device, moment: string): Promise<void>
}

export interface StoryOptions extends Pick<ServerProcessOptions, 'env'> {
  /** How long it may take on a slow machine. Default: as long as any test. */
  readonly timeoutMs?: number
}

/**
 * Defines a browser test. The test fails on console errors that the story did not expect. A failed one leaves
 * screenshots of its pages and the server's log in `artifacts/`.
 */
export function story(
  name: string,
  tell: (stage: Stage) => Promise<void>,
  { timeoutMs, ...options }: StoryOptions = {},
): void {
  test(
    name,
    async () => {
      await using server = await startServer(options)
      await using browser = await launchChromium()
      const folder = join(artifacts, slug(name))
      await rm(folder, { recursive: true, force: true })
      await mkdir(folder, { recursive: true })
      const devices: Device[] = []
      let shots = 0
      async function shot(device: Device, moment: string): Promise<void> {
        const number = String(++shots).padStart(2, '0')
        await device.page.screenshot({
          path: join(folder, `${number}-${slug(device.name)}-${slug(moment)}.png`),
        })
      }
      try {
        await tell({
          server,
          browser,
          shot,
          async device(deviceName, context, wire) {
            const device = await createDevice(browser, {
              name: deviceName,
              serverUrl: server.url,
              ...(context === undefined ? {} : { context }),
              ...(wire === undefined ? {} : { wire }),
            })
            devices.push(device)
            return device
          },
        })
        const errors = devices.flatMap((device) =>
          device.unexpectedErrors().map((error) => `${device.name}: ${error}`),
        )
        if (errors.length > 0) throw new Error(`errors on the console:\n${errors.join('\n')}`)
      } catch (error) {
        for (const device of devices) await shot(device, 'when it failed').catch(() => {})
        const consoles = devices.map((device) => [device.name, ...device.unexpectedErrors()].join('\n  '))
        await writeFile(join(folder, 'failure.txt'), [String(error), ...consoles, server.log()].join('\n\n'))
        throw error
      } finally {
        for (const device of devices) await device.close()
      }
    },
    timeoutMs,
  )
}

export function slug(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
    .slice(0, 80)
}
