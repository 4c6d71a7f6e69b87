import { chmod, readFile, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'

import { expect, it } from 'vitest'

import { findInPath, isExecutable } from '../lib/find-in-path.ts'
import { startServer } from '../lib/server-process.ts'
import { startSshServer } from '../lib/ssh-server.ts'
import { anna, createFleet, roomyLimits } from './fleet.ts'

const root = join(import.meta.dirname, '../..')
const sshd = '/usr/sbin/sshd'
const programs = await Promise.all(
  ['ssh', 'ssh-keygen', 'script', 'sqlite3', 'setpriv'].map((it) => findInPath([it])),
)
const canTry = (await isExecutable(sshd)) && programs.every((program) => program !== undefined)

/** The lines of docs/operations.md about databases that go through ssh. */
async function documentedLines(): Promise<string[]> {
  const operations = await readFile(join(root, 'docs/operations.md'), 'utf8')
  const [, section = ''] = operations.split('## Look into the databases')
  return (section.split('\n## ')[0] ?? '').split('\n').filter((line) => /^(?:echo .* \| )?ssh /.test(line))
}

async function makeProgram(path: string, text: string): Promise<void> {
  await writeFile(path, text)
  await chmod(path, 0o755)
}

it.skipIf(!canTry)(
  'the lines of the documentation lead through ssh into the right database, which is read-only unless one says --write ' +
    '(needs sshd, ssh, sqlite3 and script)',
  async ({ skip }) => {
    await using server = await startServer({ env: roomyLimits })
    await using ssh = await startSshServer(sshd)
    const login = await ssh.type('ssh HOST true')
    if (login.code !== 0) skip(`nobody can log in here: ${login.screen}`)

    // The command as it is installed beside the unit, on this checkout and as this user.
    const settings = join(ssh.programs, 't69.env')
    await writeFile(settings, `DATA_DIR=${server.dataDir}\n`)
    const { uid, gid } = userInfo()
    const command = (await readFile(join(root, 'deploy/t69-server'), 'utf8'))
      .replaceAll('/opt/t69/', `${root}/`)
      .replaceAll('/etc/t69.env', settings)
      .replaceAll('--reuid t69 --regid t69', `--reuid ${uid} --regid ${gid}`)
    await makeProgram(join(ssh.programs, 't69-server'), command)
    // In place of Docker, which starts the same command in the container, in a terminal unless it is told -T.
    const docker = `#!/bin/sh
[ "$1 $2 $3 $4" = 'compose -f /srv/t69/docker-compose.yml exec' ] || exit 64
shift 4
if [ "$1" = -T ]; then shift; else [ -t 0 ] || { echo 'the input device is not a TTY' >&2; exit 1; }; fi
[ "$1" = t69 ] && shift && exec "$@"
`
    await makeProgram(join(ssh.programs, 'docker'), docker)

    await using fleet = await createFleet(server.url)
    const space = await (await fleet.device()).createSpace({ name: 'Looked at' })
    space.root.root?.newNamedChild('edit')
    await space.flushed()

    const lines = await documentedLines()
    expect(lines).toHaveLength(4)
    const typedInto = lines.filter((line) => line.startsWith('ssh'))
    for (const line of lines.filter((it) => !typedInto.includes(it))) {
      const { screen, code } = await ssh.type(line)
      expect([line, code, screen.split('\n')], line).toEqual([line, 0, expect.arrayContaining(['1'])])
    }
    for (const line of typedInto) {
      const accounts = await ssh.type(line, 'select email from users;\ndelete from users;\n.quit\n')
      expect(accounts.screen).toContain(`${server.dataDir}/platform.sqlite, for reading.`)
      expect(accounts.screen).toContain(anna.email)
      expect(accounts.screen).toContain('attempt to write a readonly database')
      const ops = await ssh.type(`${line} ${space.id}`, "select 'rows: ' || count(*) from tree_ops;\n.quit\n")
      expect(ops.screen).toMatch(/^rows: [1-9]\d*$/m)
    }

    const [line = ''] = typedInto
    const refused = await ssh.type(`${line} --write`, '.quit\n')
    expect(refused).toMatchObject({ code: 1, screen: expect.stringContaining('a server runs in') })
    await server.stop()
    const typed = "update users set name = 'An' || 'neke';\nselect name from users;\n.quit\n"
    const written = await ssh.type(`${line} --write`, typed)
    expect(written.screen).toContain('for writing. No server can start on it meanwhile.')
    expect(written.screen).toMatch(/^Anneke$/m)
  },
)
