import type { Logger } from '../ports/logger.ts'
import type { Metrics } from '../ports/metrics.ts'
import type { ServerRuntime } from '../ports/server-runtime.ts'
import type { StoredTimes } from './stored-times.ts'

/** The most that the machine's clock may be set by and still be followed at once, in ms. Corrections by NTP are less. */
const toleranceMs = 60_000

/** How long the server may have been off without its clock being doubted at the next start, in ms. */
const maxDowntimeMs = 24 * 60 * 60_000

/** How long the machine's clock has to go on evenly after a jump before the server follows it, in ms. */
export const settlingMs = 10 * 60_000

/** How often the machine's clock is looked at, and how often the time is stored, in ms. */
const lookMs = 1_000
const storeMs = 10 * 60_000

/** The most that an access token's `iat` may be ahead, in ms. */
export const maxSkewMs = 2 * toleranceMs

/**
 * The time that the server goes by.
 *
 * The machine's clock may jump by a year in either direction, and be right again a moment later: a bad answer by NTP, a
 * machine that resumes, a battery that is empty. Nothing may expire by such a jump, or last a year because of it. So the
 * server follows the machine's clock only while it goes on evenly. After a jump the server goes on from the time that it
 * had, by the monotonic clock. It follows the machine's clock once that has gone on evenly for ten minutes, or is back.
 * Sessions and invites then move with the time (`StoredTimes.moved`), so that none ends by it.
 *
 * At a start there is no monotonic clock to compare with, but there is the time that the last process stored.
 */
export interface ServerClock {
  /** Unix milliseconds. */
  readonly now: () => number
  /** Unix milliseconds by this clock or the machine's, whichever is later. They differ after a jump. */
  readonly latest: () => number
  /** False after a jump, until the machine's clock has gone on evenly for a while. */
  readonly isSettled: () => boolean
  /** How far the machine's clock is ahead of this one, in ms. */
  readonly aheadMs: () => number
  /** Stores the time, for the next start, and stops. Never throws. */
  stop(): void
}

/**
 * What a process that starts takes for the time: the machine's clock, unless that is too far from the time that was
 * stored last.
 */
export function timeAtStart(machine: number, stored: number | undefined): number {
  if (stored === undefined) return machine
  const awayMs = machine - stored
  return awayMs < -toleranceMs || awayMs > maxDowntimeMs ? stored : machine
}

export function createServerClock(deps: {
  readonly runtime: ServerRuntime
  readonly stored: StoredTimes
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'clockJumped'>
}): ServerClock {
  const { runtime, stored, logger, metrics } = deps
  const { monotonic } = runtime
  /** How far the machine's clock was ahead of the monotonic one when it was last read, and how far this one is. */
  let machine = runtime.now() - monotonic()
  let trusted = machine
  let jumpedAt = monotonic()
  let storedAt = -Infinity

  const startedAt = runtime.now()
  const byMs = startedAt - timeAtStart(startedAt, stored.newest())
  if (byMs !== 0) {
    trusted -= byMs
    metrics.clockJumped()
    logger.warn(
      { byMs: Math.round(byMs), ...times() },
      'the clock of this machine is far from the time at which the server last ran. Unless the server was off for so ' +
        'long, the clock is wrong. The server goes on from that time, and follows the clock if it stays for 10 minutes',
    )
  }
  let cancel = (): void => {}
  look()

  function times() {
    const at = monotonic()
    return { machine: isoOf(at + machine), server: isoOf(at + trusted) }
  }

  function read(): number {
    const at = monotonic()
    const seen = runtime.now() - at
    const byMs = seen - machine
    machine = seen
    const isBack = isSettled()
    if (isBack) trusted = machine
    if (Math.abs(byMs) > toleranceMs) {
      jumpedAt = at
      metrics.clockJumped()
      logger.warn(
        { byMs: Math.round(byMs), ...times() },
        isBack
          ? 'the clock of this machine jumped, and is where it was before'
          : 'the clock of this machine jumped. The server goes on from the time that it had, and follows the clock if it ' +
              'stays for 10 minutes',
      )
    }
    return at
  }

  function isSettled(): boolean {
    return Math.abs(machine - trusted) <= toleranceMs
  }

  function look(): void {
    const at = read()
    try {
      if (!isSettled() && at - jumpedAt >= settlingMs) follow(at)
      if (at - storedAt >= storeMs) {
        storedAt = at
        stored.note(at + trusted)
      }
    } catch (error) {
      logger.error({ err: error }, 'the time cannot be stored')
    }
    cancel = runtime.setTimer(look, lookMs)
  }

  function follow(at: number): void {
    // Again only after a while, if it cannot be stored.
    jumpedAt = at
    const byMs = machine - trusted
    stored.moved({ from: at + trusted, to: at + machine })
    trusted = machine
    logger.warn(
      { byMs: Math.round(byMs), ...times() },
      'the server follows the clock of this machine from now on',
    )
  }

  return {
    now: () => Math.round(read() + trusted),
    latest: () => Math.round(read() + Math.max(trusted, machine)),
    isSettled: () => {
      read()
      return isSettled()
    },
    aheadMs: () => {
      read()
      return machine - trusted
    },
    stop: () => {
      cancel()
      try {
        stored.note(read() + trusted)
      } catch (error) {
        logger.error({ err: error }, 'the time cannot be stored')
      }
    },
  }
}

/** For the log. Not every clock shows a time that a date can be made of. */
function isoOf(time: number): string {
  const date = new Date(time)
  return Number.isNaN(date.getTime()) ? String(time) : date.toISOString()
}
