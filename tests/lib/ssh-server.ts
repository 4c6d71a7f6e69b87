import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

import { freePort } from './server-process.ts'

/** How long a line may take, in ms. */
const lineDeadlineMs = 60_000

/** A real sshd on loopback, into which the user of this process logs in by a key. */
export interface SshServer extends AsyncDisposable {
  /** Programs that are on the PATH of who logs in, before all others. */
  readonly programs: string
  /**
   * Runs a line of a shell in a terminal, as a person would, who then types `typed`. In the line, `HOST` is the ssh server.
   * Resolves with what was on the screen, and the exit code.
   */
  type(line: string, typed?: string): Promise<{ readonly screen: string; readonly code: number | null }>
}

/** `program` is an absolute path: sshd starts itself again for each connection. */
export async function startSshServer(program: string): Promise<SshServer> {
  const folder = await mkdtemp(join(tmpdir(), 't69-ssh-'))
  const at = (name: string): string => join(folder, name)
  const programs = at('bin')
  const port = await freePort()
  const { username } = userInfo()
  await mkdir(programs)
  for (const key of ['host-key', 'user-key'])
    await promisify(execFile)('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(key)])
  // Where it is started by hand, as root, it has to be told nothing else.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 })
  const serverConfig = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${at('host-key')}`,
    `AuthorizedKeysFile ${at('user-key.pub')}`,
    `AllowUsers ${username}`,
    'PermitRootLogin prohibit-password',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'UsePAM no',
    'StrictModes no',
    `PidFile ${at('pid')}`,
    `SetEnv PATH=${programs}:/usr/local/bin:/usr/bin:/bin`,
  ]
  const clientConfig = [
    'Host HOST',
    'HostName 127.0.0.1',
    `Port ${port}`,
    `User ${username}`,
    `IdentityFile ${at('user-key')}`,
    'IdentitiesOnly yes',
    `UserKnownHostsFile ${at('known-hosts')}`,
    'StrictHostKeyChecking accept-new',
    'LogLevel ERROR',
  ]
  await writeFile(at('sshd_config'), `${serverConfig.join('\n')}\n`)
  await writeFile(at('ssh_config'), `${clientConfig.join('\n')}\n`)
  // The person's own ssh, which knows HOST.
  await mkdir(at('local'))
  await writeFile(at('local/ssh'), `#!/bin/sh\nexec /usr/bin/ssh -F ${at('ssh_config')} "$@"\n`)
  await chmod(at('local/ssh'), 0o755)

  const daemon = spawn(program, ['-D', '-e', '-f', at('sshd_config')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const lines: string[] = []
  const listening = new Promise<void>((resolve, reject) => {
    createInterface({ input: daemon.stderr }).on('line', (line) => {
      lines.push(line)
      if (line.startsWith('Server listening')) resolve()
    })
    daemon.once('exit', () => reject(new Error(`sshd ended:\n${lines.join('\n')}`)))
  })

  async function stop(): Promise<void> {
    if (daemon.exitCode === null && daemon.signalCode === null) {
      const gone = once(daemon, 'exit')
      daemon.kill('SIGTERM')
      await gone
    }
    await rm(folder, { recursive: true, force: true })
  }

  try {
    await listening
  } catch (error) {
    await stop()
    throw error
  }
  return {
    programs,
    async type(line, typed = '') {
      // `script` gives the line a terminal, and ends as it does.
      const person = spawn('script', ['--quiet', '--return', '--command', line, '/dev/null'], {
        env: { ...process.env, PATH: `${at('local')}:${process.env['PATH']}`, TERM: 'dumb' },
        timeout: lineDeadlineMs,
      })
      let screen = ''
      for (const output of [person.stdout, person.stderr])
        output.setEncoding('utf8').on('data', (text: string) => void (screen += text))
      person.stdin.write(typed)
      const [code] = await once(person, 'close')
      return { screen: screen.replaceAll('\r', ''), code: typeof code === 'number' ? code : null }
    },
    [Symbol.asyncDispose]: stop,
  }
}
