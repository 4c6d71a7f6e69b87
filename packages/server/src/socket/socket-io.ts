import type { Server as HttpServer } from 'node:http'

import type { Tokens } from '../platform/tokens.ts'
import type { Logger } from '../spaces/logger.ts'
import type { Gateway } from './gateway.ts'

export interface SocketIoOptions {
  readonly gateway: Gateway
  readonly tokens: Tokens
  /** Who may connect from another origin; nobody by default. */
  readonly corsOrigin?: string | readonly string[] | undefined
  readonly logger?: Logger
}

/** Serves the gateway over Socket.io at the default path of an HTTP server. */
export function attachSocketIo(
  _httpServer: HttpServer,
  _options: SocketIoOptions,
): { close(): Promise<void> } {
  throw new Error('not yet')
}
