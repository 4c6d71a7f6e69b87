import { createHash } from 'node:crypto'

import { SyncError } from '@t69/protocol'
import { z } from 'zod'

import { newer } from '../logs/copied-file.ts'
import { serverVersion } from '../ports/version.ts'
import { spaceInCopySchema } from './admin-calls.ts'

/** A space in one file, with which it can be moved to another server: see docs/decisions/0071. */
export interface SpaceCopy extends z.output<typeof headerSchema> {
  /** The database of the space's log. */
  readonly database: Buffer
}

/** The first line of a copy, and its number. A program that knows a lower one must not read it. */
const beginning = 't69 space '
const format = 1

const headerSchema = z.object({
  /** The version of the server that it is from. */
  madeBy: z.string(),
  /** Unix milliseconds. */
  madeAt: z.number(),
  space: spaceInCopySchema,
})

/**
 * Three lines of text, then the database: what it is; the SHA-256 of everything behind that line; who is in the space, as JSON.
 * The last part begins at a line of its own, so that `tail` gives it to `sqlite3`.
 */
export function encodeSpaceCopy(copy: Omit<SpaceCopy, 'madeBy'>): Buffer {
  const { madeAt, space, database } = copy
  const header = JSON.stringify({ madeBy: serverVersion, madeAt, space } satisfies z.input<
    typeof headerSchema
  >)
  const rest = Buffer.concat([Buffer.from(`${header}\n`), database])
  return Buffer.concat([Buffer.from(`${beginning}${format}\n${digestOf(rest)}\n`), rest])
}

/** Throws `SyncError` for what is no copy of a space, is not whole, or is of a newer program. */
export function decodeSpaceCopy(bytes: Buffer): SpaceCopy {
  const [first, afterFirst] = lineOf(bytes, 0)
  if (!first.startsWith(beginning)) throw wrong('it is no copy of a space, as spaces export writes them')
  if (Number(first.slice(beginning.length)) > format) throw newer()
  const [digest, afterDigest] = lineOf(bytes, afterFirst)
  if (digestOf(bytes.subarray(afterDigest)) !== digest) {
    throw wrong('it is damaged or incomplete: it does not fit its checksum')
  }
  const [header, afterHeader] = lineOf(bytes, afterDigest)
  const parsed = headerSchema.safeParse(jsonOf(header))
  if (!parsed.success) throw wrong(`its header is wrong: ${z.prettifyError(parsed.error)}`)
  return { ...parsed.data, database: bytes.subarray(afterHeader) }
}

/** Undefined for what is no JSON. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A line without its end, and where the next one begins. */
function lineOf(bytes: Buffer, from: number): readonly [string, number] {
  const end = bytes.indexOf('\n', from)
  return end < 0 ? ['', bytes.length] : [bytes.toString('utf8', from, end), end + 1]
}

const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

const wrong = (message: string): SyncError => new SyncError('invalid_request', message)
