import type { ErrorBody } from '@t69/protocol'

import { errorBodyOf } from '../ports/error-body.ts'
import type { Logger } from '../ports/logger.ts'

/** Handles errors that the gateway's handlers throw. */
export interface Faults {
  /** The error that the client is told. Logs a bug, with its event. */
  bodyOf(error: unknown, event: string): ErrorBody
  /** Runs what concerns one socket, so that its failure does not keep others from what comes next in this turn. */
  contain(event: string, run: () => void): void
}

export function createFaults(logger: Logger): Faults {
  const bodyOf = (error: unknown, event: string): ErrorBody =>
    errorBodyOf(error, (bug) => logger.error({ err: bug, event }, 'a handler failed'))
  return {
    bodyOf,
    contain: (event, run) => {
      try {
        run()
      } catch (error) {
        bodyOf(error, event)
      }
    },
  }
}
