import {
  type ParsedPayload,
  type RequestName,
  requests,
  type SignalName,
  signals,
  SyncError,
} from '@t69/protocol'
import type { z } from 'zod'

/** The payload of a request. Throws `invalid_request`, with the field's path in `at`. */
export function parseRequest<N extends RequestName>(name: N, payload: unknown): ParsedPayload<N> {
  const parsed = requests[name].payload.safeParse(payload)
  // The table pairs each name with its schema; the compiler does not follow it through `N`.
  if (parsed.success) return parsed.data as ParsedPayload<N>
  const [issue] = parsed.error.issues
  const at = issue?.path.join('.') ?? ''
  throw new SyncError('invalid_request', `${name}: ${at}: ${issue?.message ?? 'malformed'}`, { at })
}

export type ParsedSignal<N extends SignalName> = z.output<(typeof signals)[N]>

/** The payload of a signal; undefined if it is malformed, since nobody waits for an answer. */
export function parseSignal<N extends SignalName>(name: N, payload: unknown): ParsedSignal<N> | undefined {
  const parsed = signals[name].safeParse(payload)
  return parsed.success ? (parsed.data as ParsedSignal<N>) : undefined
}
