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
