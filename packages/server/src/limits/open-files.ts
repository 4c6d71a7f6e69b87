import { z } from 'zod'

/** How many files and connections the server may have open, and what it uses them for. */
export interface OpenFiles {
  /** What the system allows the process. */
  readonly limit: number
  /** Spaces whose files may be open at once. */
  readonly spaces: number
  /** TCP connections that may be open at once. */
  readonly connections: number
}

/** Descriptors of an open space: the database, its write-ahead log, and the index of that. */
const perSpace = 3
/** Descriptors of the process itself, of `platform.sqlite` and of whatever is open for a moment. */
const own = 64
/** Descriptors of a thread that reads and writes files. */
const perThread = 8

/**
 * Shares out the descriptors that the system allows: spaces get half of what the server does not need itself, and people's
 * connections the rest. Both get fewer than they are asked for, rather than taking them from each other.
 */
export function shareOpenFiles(
  limit: number,
  { maxOpenSpaces, threads }: { readonly maxOpenSpaces: number; readonly threads: number },
): OpenFiles {
  const free = Math.max(0, limit - own - perThread * threads)
  const spaces = Math.max(1, Math.min(maxOpenSpaces, Math.floor(free / 2 / perSpace)))
  return { limit, spaces, connections: Math.max(1, free - perSpace * spaces) }
}

const reportSchema = z.object({
  userLimits: z.object({ open_files: z.object({ soft: z.union([z.number(), z.literal('unlimited')]) }) }),
})

/** The system's limit of open files of this process; infinite where there is none. Node has raised it to the hard one. */
export function openFilesLimit(): number {
  const { report } = process
  // Otherwise the report looks up the names of addresses.
  if ('excludeNetwork' in report) report.excludeNetwork = true
  const parsed = reportSchema.safeParse(report.getReport())
  const soft = parsed.data?.userLimits.open_files.soft
  return typeof soft === 'number' ? soft : Infinity
}
