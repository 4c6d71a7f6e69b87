import { join } from 'node:path'

/** Characters of a socket's path: Linux takes 107 bytes, macOS 103. */
export const maxSocketPath = 100

/** The socket on which a running server answers the operator's command. */
export function adminSocketOf(dataDir: string): string {
  return join(dataDir, 'admin.sock')
}
