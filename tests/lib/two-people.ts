import type { BrowserContextOptions } from 'playwright-core'

import type { Device } from './device.ts'
import type { Stage } from './story.ts'
import { enableSync, joinAs, openT69, signUp, type Account } from './t69-page.ts'

/** A device on which someone has just signed up, with their own synced space open. */
export async function openOwnSpace(stage: Stage, deviceName: string, account: Account): Promise<Device> {
  const device = await stage.device(deviceName)
  await openT69(device.page, device.url)
  await signUp(device.page, account)
  await enableSync(device.page)
  return device
}

/** A device on which someone new has opened an invite link, signed up, and joined the space, live. */
export async function acceptInvite(
  stage: Stage,
  deviceName: string,
  account: Account,
  link: string,
  context?: BrowserContextOptions,
): Promise<Device> {
  const device = await stage.device(deviceName, context)
  // The link has the address of the inviter's wire; this device has its own.
  await device.page.goto(new URL(new URL(link).pathname, device.url).href)
  await joinAs(device.page, account)
  return device
}
