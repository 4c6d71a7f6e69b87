import Bowser from 'bowser'
import type { FastifyRequest } from 'fastify'

/** How much of a header is looked at, in characters: those of browsers have fewer than 300. */
const maxLookedAt = 500
const maxName = 40

/**
 * A short name of the device by its `User-Agent`, for the person whose device it is: `Firefox on Linux`, or of a program that is
 * no browser its own name. No versions and no models: nobody needs them to tell their devices apart. Empty if the header says
 * neither. Anybody can send any header, so this is what the device says of itself.
 */
export function deviceNameOf(userAgent: string | undefined): string {
  const said = (userAgent ?? '').slice(0, maxLookedAt)
  if (said === '') return ''
  const { browser, os } = Bowser.parse(said)
  if (os.name) return clean(browser.name ? `${browser.name} on ${os.name}` : os.name)
  const program = /^[^\s/;(]+/.exec(said)?.[0] ?? ''
  return clean(program === 'Mozilla' ? (browser.name ?? '') : program)
}

/** Without anything that a name does not need: it is shown in a terminal too. */
function clean(name: string): string {
  return name
    .replaceAll(/[^\p{L}\p{N} .+_-]/gu, '')
    .trim()
    .slice(0, maxName)
    .toWellFormed()
}

/** The name of the device that sent a request. */
export function deviceOf({ headers }: FastifyRequest): string {
  return deviceNameOf(headers['user-agent'])
}

const knownNames = new Set([...Object.values(Bowser.BROWSER_MAP), ...Object.values(Bowser.OS_MAP)])

/**
 * The browser and the system of the device that sent a request, as far as they are known ones: `['Firefox', 'Linux']`. Whoever sends it
 * can choose among these names, and cannot have words of their own, or the name of a host, put into a mail to somebody.
 */
export function knownDeviceOf({ headers }: FastifyRequest): string[] {
  const said = headers['user-agent']?.slice(0, maxLookedAt) ?? ''
  if (said === '') return []
  const { browser, os } = Bowser.parse(said)
  return [browser.name, os.name].flatMap((name) => (name !== undefined && knownNames.has(name) ? [name] : []))
}
