import type { Device } from './device.ts'
import type { Stage } from './story.ts'
import { enableSync, openT69, ready, signUp, submitSignUp, synced, type Account } from './t69-page.ts'

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
): Promise<Device> {
  const device = await stage.device(deviceName)
  // The link has the address of the inviter's wire; this device has its own.
  await device.page.goto(new URL(new URL(link).pathname, device.url).href)
  const dialog = device.page.getByTestId('auth-dialog')
  await dialog.waitFor()
  if (!(await dialog.getByTestId('auth-name').isVisible())) await dialog.getByTestId('auth-switch').click()
  await submitSignUp(device.page, account)
  await ready(device.page)
  await synced(device.page)
  return device
}
