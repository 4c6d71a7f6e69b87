import { SyncError } from '@t69/protocol'
import type { z } from 'zod'

/**
 * Parses an argument of a call. Throws `invalid_request`, which says what is wrong with which argument: a call is refused
 * where it is made, and not later by the server, where nobody waits for the answer.
 *
 *     const given = parseInput(renameSpaceBodySchema.shape.name, name, 'name')
 */
export function parseInput<T>(schema: z.ZodType<T>, input: unknown, argument: string): T {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  const reason = parsed.error.issues.map(({ message }) => message).join(', ')
  throw new SyncError('invalid_request', `${argument}: ${reason}`, { at: argument })
}
