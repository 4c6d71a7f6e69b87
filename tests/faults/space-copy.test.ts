import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import type { Space } from '@t69/sync-client'
import { expect, it } from 'vitest'

import { findInPath } from '../lib/find-in-path.ts'
import { startServer } from '../lib/server-process.ts'
import { createFleet, live, roomyLimits } from './fleet.ts'

const hasScript = (await findInPath(['script'])) !== undefined
const main = join(import.meta.dirname, '../../packages/server/dist/main.js')

/** Runs a line of a shell in which `t69-server` is the command of the server in this directory. */
async function shell(dataDir: string, line: string): Promise<{ stdout: string; stderr: string }> {
  const env = { ...process.env, DATA_DIR: dataDir }
  const command = `t69() { '${process.execPath}' '${main}' "$@"; }\n${line.replaceAll('t69-server', 't69')}`
  return promisify(execFile)('sh', ['-euc', command], { env })
}

const names = (space: Space): string[] =>
  (space.root.root?.children ?? []).map((child) => child.name ?? '').toSorted()

it('a space that is exported and imported on another server has everything, and devices go on syncing there', async () => {
  const folder = await mkdtemp(join(tmpdir(), 't69-copy-'))
  const file = join(folder, 'copy.t69log')
  try {
    await using from = await startServer({ env: roomyLimits })
    await using to = await startServer({ env: roomyLimits })
    await using fleet = await createFleet(from.url)
    const space = await (await fleet.device()).createSpace({ name: 'Moved' })
    for (let edit = 0; edit < 50; edit++) space.root.root?.newNamedChild(`edit ${edit}`)
    await space.flushed()
    // Everybody goes on meanwhile.
    const { stderr } = await shell(from.dataDir, `t69-server spaces export ${space.id} > ${file}`)
    expect(stderr).toContain('“Moved” is copied')
    const shown = names(space)
    expect(shown).toHaveLength(50)
    const refused = shell(from.dataDir, `t69-server spaces import ${file}`)
    await expect(refused).rejects.toThrow('is here already')

    await using there = await createFleet(to.url)
    const device = await there.device()
    const imported = await shell(to.dataDir, `cat ${file} | t69-server spaces import - --by-email`)
    expect(imported.stderr).toContain(`On the running server in ${to.dataDir}.`)
    const moved = await device.openSpace(space.id)
    await live(moved)
    await expect.poll(() => names(moved)).toEqual(shown)

    moved.root.root?.newNamedChild('written there')
    await moved.flushed()
    await to.stop()
    await to.start()
    const other = await (await there.device()).openSpace(space.id)
    await live(other)
    await expect.poll(() => names(other)).toEqual([...shown, 'written there'].toSorted())
    const full = shell(to.dataDir, `t69-server spaces export ${space.id} > /dev/full`)
    await expect(full).rejects.toThrow(/t69 cannot write its output: ENOSPC: [^\n]*\n$/)
    const cut = shell(to.dataDir, `(t69-server spaces export ${space.id} || echo "code $?" >&2) | true`)
    expect((await cut).stderr).toContain('code 1')

    const inspected = await shell(to.dataDir, `t69-server spaces inspect ${space.id} --json`)
    expect(JSON.parse(inspected.stdout)).toMatchObject({ damage: null })
    expect(inspected.stderr).not.toContain('%')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

it.skipIf(!hasScript)(
  'how far an inspection is shows in a terminal, and is gone at its end (needs script)',
  async () => {
    await using server = await startServer({ env: roomyLimits })
    await using fleet = await createFleet(server.url)
    const space = await (await fleet.device()).createSpace({ name: 'Looked at' })
    space.root.root?.newNamedChild('edit')
    await space.flushed()
    const line = `'${process.execPath}' '${main}' spaces inspect ${space.id}`
    const { stdout } = await shell(server.dataDir, `script --quiet --return --command "${line}" /dev/null`)
    // eslint-disable-next-line no-control-regex
    expect(stdout).toMatch(/100 % of \d+ operations.*\x1b\[2KFile: .*\.db\r\nDamage: none/s)
  },
)
