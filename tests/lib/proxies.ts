import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { access, chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

const readme = join(import.meta.dirname, '../../packages/server/README.md')
const startDeadlineMs = 60_000
/** Between two looks at whether a port is open yet, for which nothing tells. */
const lookMs = 20

/** Where a proxy listens, and what it passes on to. */
export interface ProxyPorts {
  readonly listen: number
  readonly server: number
}

/** A web server that people put in front of ours, with its configuration from our README. */
export interface ProxyKind {
  readonly name: string
  readonly program: string
  /** The whole configuration, around the README's lines. `folder` is for its own files. */
  configure(lines: string, ports: ProxyPorts, folder: string): string
  /** The lines for `/t69/` alone, which leave the path or take it off. */
  readonly below: Readonly<Record<'leaves' | 'takes off', (lines: string) => string>>
  /** Its command line, to run in the foreground. */
  args(configFile: string, folder: string): readonly string[]
}

/** Debian keeps the modules of Apache here. */
const apacheModules = '/usr/lib/apache2/modules'

export const proxyKinds: readonly ProxyKind[] = [
  {
    name: 'caddy',
    program: '/usr/bin/caddy',
    configure: (lines, { listen }) =>
      `{\n  admin off\n  auto_https off\n}\n${lines.replace(/^\S+ \{/, `http://:${listen} {`)}`,
    below: {
      leaves: (lines) => lines.replace(/reverse_proxy .*/, 'handle /t69/* {\n$&\n}'),
      'takes off': (lines) => lines.replace(/reverse_proxy .*/, 'handle_path /t69/* {\n$&\n}'),
    },
    args: (file) => ['run', '--adapter', 'caddyfile', '--config', file],
  },
  {
    name: 'nginx',
    program: '/usr/sbin/nginx',
    configure(lines, { listen }, folder) {
      const [location = '', map = ''] = lines.split(/(?=^map )/m)
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      return `
        daemon off;
        pid ${folder}/nginx.pid;
        error_log stderr;
        events {}
        http {
          access_log off;
          ${temporary.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join('\n')}
          ${map}
          server {
            listen 127.0.0.1:${listen};
            ${location}
          }
        }`
    },
    below: {
      leaves: (lines) => lines.replace('location /', 'location /t69/'),
      'takes off': (lines) => lines.replace('location /', 'location /t69/').replace(':3000;', ':3000/;'),
    },
    args: (file, folder) => ['-p', folder, '-e', 'stderr', '-c', file],
  },
  {
    name: 'haproxy',
    program: '/usr/sbin/haproxy',
    configure: (lines, { listen }) => `global\n\n${lines.replace('bind :80', `bind 127.0.0.1:${listen}`)}`,
    below: {
      leaves: (lines) => lines.replace('default_backend t69', 'use_backend t69 if { path_beg /t69/ }'),
      'takes off': (lines) =>
        lines
          .replace('default_backend t69', 'use_backend t69 if { path_beg /t69/ }')
          .replace('\nbackend t69\n', '\nbackend t69\n  http-request replace-path /t69/(.*) /\\1\n'),
    },
    args: (file) => ['-db', '-f', file],
  },
  {
    name: 'apache',
    program: '/usr/sbin/apache2',
    configure: (lines, { listen }, folder) =>
      [
        `ServerRoot ${folder}`,
        `PidFile ${folder}/apache.pid`,
        `DefaultRuntimeDir ${folder}`,
        'ErrorLog "|/bin/cat"',
        // Without these, Apache does not start as root, as in a container. Otherwise it ignores them.
        'User nobody',
        'Group nogroup',
        'ServerName localhost',
        `Listen 127.0.0.1:${listen}`,
        ...['mpm_event', 'authz_core', 'proxy', 'proxy_http', 'headers'].map(
          (module) => `LoadModule ${module}_module ${apacheModules}/mod_${module}.so`,
        ),
        lines.replace('*:80', `127.0.0.1:${listen}`),
      ].join('\n'),
    below: {
      leaves: (lines) =>
        lines.replace('ProxyPass / http://127.0.0.1:3000/', 'ProxyPass /t69/ http://127.0.0.1:3000/t69/'),
      'takes off': (lines) => lines.replace('ProxyPass / ', 'ProxyPass /t69/ '),
    },
    args: (file) => ['-D', 'FOREGROUND', '-f', file],
  },
]

export const isInstalled = (kind: ProxyKind): Promise<boolean> =>
  access(kind.program, constants.X_OK).then(
    () => true,
    () => false,
  )

/** The README's lines for a proxy: all of its code blocks, one after another. */
export async function readmeLines({ name }: ProxyKind): Promise<string> {
  const text = await readFile(readme, 'utf8')
  const blocks = [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].filter(([, language]) => language === name)
  if (blocks.length === 0) throw new Error(`the README has no lines for ${name}`)
  return blocks.map(([, , block = '']) => block).join('')
}

/** Starts the proxy on loopback with these lines, and waits until it listens. */
export async function startProxy(
  kind: ProxyKind,
  lines: string,
  ports: ProxyPorts,
): Promise<AsyncDisposable & { log(): string }> {
  const folder = await mkdtemp(join(tmpdir(), `t69-${kind.name}-`))
  // A proxy that is started as root works as another user.
  await chmod(folder, 0o755)
  const file = join(folder, 'config')
  const passedOn = lines.replaceAll('127.0.0.1:3000', `127.0.0.1:${ports.server}`)
  await writeFile(file, `${kind.configure(passedOn, ports, folder)}\n`)
  const child = spawn(kind.program, kind.args(file, folder), {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
  })
  let log = ''
  for (const output of [child.stdout, child.stderr]) {
    output.setEncoding('utf8').on('data', (text: string) => void (log += text))
  }
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null

  async function stop(): Promise<void> {
    if (!hasEnded()) {
      const gone = once(child, 'exit')
      child.kill('SIGTERM')
      const deadline = setTimeout(() => child.kill('SIGKILL'), 5_000)
      await gone
      clearTimeout(deadline)
    }
    await rm(folder, { recursive: true, force: true })
  }

  const deadline = Date.now() + startDeadlineMs
  while (!(await isOpen(ports.listen))) {
    if (hasEnded() || Date.now() > deadline) {
      await stop()
      throw new Error(`${kind.name} does not listen:\n${log}`)
    }
    await pause(lookMs)
  }
  return { log: () => log, [Symbol.asyncDispose]: stop }
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
