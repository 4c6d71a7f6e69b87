import type { RequestName } from '@t69/protocol'

import { createTokenBucket } from '../limits/token-bucket.ts'
import type { Allowance } from '../limits/user-limits.ts'
import type { GatewayLimits } from './gateway-limits.ts'

/** Lines about refusals of one socket, a second and at once. All of them are counted by the metrics. */
const linesPerSecond = 1
const lineBurst = 50

/** The rates of one socket, together with those of its user. */
export interface SocketRates {
  /** Admits a request, and returns 0. Otherwise returns how many milliseconds it has to wait. */
  admitRequest(name: RequestName): number
  /** Admits a signal. Returns false when it comes too soon. */
  admitSignal(): boolean
  /** Admits a line in the log about a refusal. Whoever repeats at once what was refused must not fill the disk with it. */
  admitLine(): boolean
}

export function createSocketRates(
  limits: GatewayLimits,
  allowance: Allowance,
  monotonic: () => number,
): SocketRates {
  const bucket = (perSecond: number, burst: number) => createTokenBucket({ perSecond, burst }, monotonic)
  const requests = bucket(limits.requestsPerSecond, limits.requestBurst)
  const signals = bucket(limits.signalsPerSecond, limits.signalBurst)
  const lines = bucket(linesPerSecond, lineBurst)
  const compares = bucket(limits.comparesPerSecond, limits.compareBurst)
  return {
    admitRequest: (name) =>
      allowance.bytes.waitMs() ||
      requests.take() ||
      allowance.requests.take() ||
      (name === 'tree:compare' ? compares.take() : 0),
    admitLine: () => lines.take() === 0,
    admitSignal: () =>
      allowance.bytes.waitMs() === 0 && signals.take() === 0 && allowance.signals.take() === 0,
  }
}
