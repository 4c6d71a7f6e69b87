import type { RequestName } from '@t69/protocol'

import { createTokenBucket } from '../limits/token-bucket.ts'
import type { Allowance } from '../limits/user-limits.ts'
import type { GatewayLimits } from './gateway-limits.ts'

/** The rates of one socket, together with those of its user. */
export interface SocketRates {
  /** Admits a request, and returns 0. Otherwise returns how many milliseconds it has to wait. */
  admitRequest(name: RequestName): number
  /** Admits a signal. Returns false when it comes too soon. */
  admitSignal(): boolean
}

export function createSocketRates(
  limits: GatewayLimits,
  allowance: Allowance,
  now: () => number,
): SocketRates {
  const bucket = (perSecond: number, burst: number) => createTokenBucket({ perSecond, burst }, now)
  const requests = bucket(limits.requestsPerSecond, limits.requestBurst)
  const signals = bucket(limits.signalsPerSecond, limits.signalBurst)
  const compares = bucket(limits.comparesPerSecond, limits.compareBurst)
  return {
    admitRequest: (name) =>
      allowance.bytes.waitMs() ||
      requests.take() ||
      allowance.requests.take() ||
      (name === 'tree:compare' ? compares.take() : 0),
    admitSignal: () =>
      allowance.bytes.waitMs() === 0 && signals.take() === 0 && allowance.signals.take() === 0,
  }
}
