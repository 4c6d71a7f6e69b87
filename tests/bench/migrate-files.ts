import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { newEpoch, spaceId } from '@t69/server/testing/ops'
import { createSqliteOpLogs } from '@t69/server/testing/sqlite-op-logs'

/**
 * Opens as many files of each version of the schema, one after another on one thread, as a newer server does when somebody asks for
 * their spaces. The present version is what an opening takes that migrates nothing.
 */

const count = Number(process.argv[2] ?? 10_000)
const versions = (process.argv[3] ?? '1,2,3,4,5,6,7').split(',').map(Number)
const folder = mkdtempSync(join(tmpdir(), 't69-bench-'))
const golden = (version: number): string => join(import.meta.dirname, `../data/space-file-${version}.db`)

function open(nr: number, make: (path: string) => void): number {
  const opLogs = createSqliteOpLogs({ dataDir: join(folder, String(nr)), synchronous: 'full' })
  const path = join(folder, String(nr), spaceId.slice(0, 2), `${spaceId}.db`)
  mkdirSync(dirname(path), { recursive: true })
  make(path)
  const begun = performance.now()
  opLogs.open(spaceId, newEpoch()).close()
  return performance.now() - begun
}

try {
  for (const version of versions) {
    let first = 0
    let again = 0
    for (let nr = 0; nr < count; nr++) {
      first += open(nr, (path) => copyFileSync(golden(version), path))
      again += open(nr, () => {})
      rmSync(join(folder, String(nr)), { recursive: true })
    }
    const seconds = (ms: number): string => (ms / 1_000).toFixed(1)
    console.log(
      `${count} files of version ${version}: ${seconds(first)} s the first time, ${seconds(again)} s again`,
    )
  }
} finally {
  rmSync(folder, { recursive: true })
}
