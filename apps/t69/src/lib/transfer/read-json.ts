import type { z } from 'zod'

import { TransferError } from './transfer-error.ts'

/** Reads a part of an export, or throws what is wrong with it and where. */
export function readShape<T>(schema: z.ZodType<T>, value: unknown, file: string, at: string): T {
  const read = readDeep(schema, value)
  if (read?.success === true) return read.data
  const issue = read?.error.issues[0]
  const path = (issue?.path ?? []).map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
  throw new TransferError('wrong-shape', file, `${at}${path.join('')}`, issue?.message ?? 'nested too deeply')
}

/** Undefined for what is nested more deeply than any schema can follow. */
function readDeep<T>(schema: z.ZodType<T>, value: unknown) {
  try {
    return schema.safeParse(value)
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/** Seconds or milliseconds since 1970, as exports have both; undefined for what is no time. */
export function timeOf(value: number | null | undefined): number | undefined {
  if (value === null || value === undefined || !Number.isFinite(value) || value <= 0) return undefined
  const ms = Math.round(value < 1e11 ? value * 1000 : value)
  return ms <= 8.64e15 ? ms : undefined
}
