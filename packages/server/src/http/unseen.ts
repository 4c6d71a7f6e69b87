import { randomInt } from 'node:crypto'

import type { FastifyReply } from 'fastify'

/** How long it takes until work begins, in ms. */
const [soonestMs, latestMs] = [200, 2_000]

/**
 * Does work some time after the answer, so that neither how long the answer takes nor how long the next one does tells how much
 * there was to do. What has not begun when the server ends is not done.
 */
export function unseen(reply: FastifyReply, work: () => void): void {
  reply.raw.once('close', () => void setTimeout(work, randomInt(soonestMs, latestMs)).unref())
}
