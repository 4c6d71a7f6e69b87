import type { RequestName } from '@t69/protocol'

import { createTokenBucket } from '../limits/token-bucket.ts'
import type { Allowance } from '../limits/user-limits.ts'

/** Limits of one socket. */
export interface GatewayLimits {
  readonly requestsPerSecond: number
  readonly requestBurst: number
  readonly signalsPerSecond: number
  readonly signalBurst: number
  /** Comparisons of trees. Each reads a whole tree; a device compares its open trees, minutes apart. */
  readonly comparesPerSecond: number
  readonly compareBurst: number
  /** Bytes that may wait for the network. Above it, nothing is sent but acks. */
  readonly maxBacklogBytes: number
}

export const defaultGatewayLimits: GatewayLimits = {
  // A client joins and pulls all of its spaces when it connects.
  requestsPerSecond: 200,
  requestBurst: 1_000,
  signalsPerSecond: 100,
  signalBurst: 200,
  comparesPerSecond: 0.5,
  compareBurst: 50,
  maxBacklogBytes: 4 * 1024 * 1024,
}

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
