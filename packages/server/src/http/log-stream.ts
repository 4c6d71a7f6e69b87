import { writeSync } from 'node:fs'

/** Bytes that may wait to be written. */
const maxWaiting = 1024 * 1024
/** How long after a failure the rest is tried again, in ms. */
const retryMs = 100
/** How long the process waits, at its exit, for a reader that is slow, in ms. */
const patienceMs = 1_000

/**
 * Writes the lines of the log to a file descriptor, each at once, as pino does. What cannot be written now, because the disk is
 * full or the reader is slow, waits until it can; once much waits, further lines are dropped. When the process exits, what waits
 * is written then, if it can be. Never throws: an error of pino's own stream would end the server, and that stream retries
 * for ever at the exit.
 */
export function createLogStream(fd: number): { write(line: string): void } {
  let waiting: Uint8Array[] = []
  let waitingBytes = 0
  let retry: NodeJS.Timeout | undefined

  /** Writes what waits. Returns why the rest of it cannot be written. */
  function flush(): unknown {
    let rest: Uint8Array = Buffer.concat(waiting)
    try {
      while (rest.length > 0) rest = rest.subarray(writeSync(fd, rest))
      return undefined
    } catch (error) {
      return error
    } finally {
      waiting = rest.length > 0 ? [rest] : []
      waitingBytes = rest.length
    }
  }

  function flushOrRetry(): void {
    retry = flush() === undefined ? undefined : setTimeout(flushOrRetry, retryMs).unref()
  }

  function finish(): void {
    const deadline = performance.now() + patienceMs
    while (isSlow(flush()) && performance.now() < deadline) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
    }
  }

  process.on('exit', finish)
  return {
    write(line) {
      const bytes = Buffer.from(line)
      if (waitingBytes + bytes.length > maxWaiting) return
      waiting.push(bytes)
      waitingBytes += bytes.length
      if (retry === undefined) flushOrRetry()
    },
  }
}

/** Whether a reader has not read yet what was written before. */
const isSlow = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'EAGAIN'

/** The log of the process. There is one, as there is one standard output. */
export const standardLog = createLogStream(1)
