import { execFile, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { expect, it } from 'vitest'

import { findInPath } from '../lib/find-in-path.ts'
import { proxyKinds, startProxy } from '../lib/proxies.ts'
import { freePort, startServer } from '../lib/server-process.ts'
import { createFleet, roomyLimits } from './fleet.ts'

/** The files of `deploy/`, with which people run the server, each used by the program that it is for. */

const root = join(import.meta.dirname, '../..')
const read = (file: string): Promise<string> => readFile(join(root, file), 'utf8')

const systemd = await findInPath(['systemd-analyze'])
const caddy = proxyKinds.find(({ name }) => name === 'caddy')
const hasCaddy = (await findInPath(['caddy'])) !== undefined
const hasSetpriv = (await findInPath(['setpriv'])) !== undefined
const canTrace = spawnSync('strace', ['-f', '-o', '/dev/null', 'true']).status === 0

/** The worst that `systemd-analyze security` may say of the unit, in tenths. A unit that says nothing has 92. */
const exposure = 15

it('docker-compose.yml opens no door but to this machine, unless it is asked to', async () => {
  const compose = await read('docker-compose.yml')
  const services = compose.split(/^ {2}(?=\w[\w-]*:$)/m)
  const [server = '', proxy = '', prometheus = ''] = ['t69:', 'caddy:', 'prometheus:'].map((name) =>
    services.find((service) => service.startsWith(name)),
  )
  expect(server).toContain("'${BIND_ADDRESS:-127.0.0.1}:${PORT:-3000}:3000'")
  expect(prometheus).toContain("ports: ['127.0.0.1:")
  expect(proxy).toContain('profiles: [tls]')
  expect(prometheus).toContain('profiles: [metrics]')
  for (const service of [server, proxy, prometheus]) {
    expect(service).toMatch(/^ {4}mem_limit: /m)
    expect(service).toMatch(/^ {4}logging: [*&]logging$/m)
  }
  const files = [...compose.matchAll(/- \.\/(\S+?):/g)].map(([, file = '']) => file)
  expect(files).toEqual(['deploy/Caddyfile', 'deploy/prometheus.yml', 'deploy/alerts.yml'])
  for (const file of files) expect(await read(file)).not.toBe('')
})

it.skipIf(!hasCaddy)('the Caddyfile of docker-compose.yml leads to the server (needs caddy)', async () => {
  await using server = await startServer({ env: { ...roomyLimits, TRUST_PROXY: 'loopback' } })
  const ports = { listen: await freePort(), server: Number(new URL(server.url).port) }
  const url = `http://127.0.0.1:${ports.listen}`
  const lines = (await read('deploy/Caddyfile'))
    .replace('{$PUBLIC_URL} {', `${url} {`)
    .replace('t69:3000', '127.0.0.1:3000')
  if (caddy === undefined) throw new Error('there is no Caddy among the proxies')
  const asItIs = { ...caddy, configure: (text: string) => `{\n  admin off\n  auto_https off\n}\n${text}` }
  await using _proxy = await startProxy(asItIs, lines, ports)
  await using fleet = await createFleet(url)
  const space = await (await fleet.device()).createSpace({ name: 'Behind Caddy' })
  await space.flushed()
  await expect.poll(async () => (await fetch(`${url}/ready`)).json()).toEqual({ status: 'ok' })
})

it.skipIf(systemd === undefined)(
  'the unit of systemd is one that systemd takes, and exposes little (needs systemd-analyze)',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 't69-unit-'))
    try {
      // As it is installed, with the checkout here.
      const file = join(folder, 't69.service')
      await writeFile(file, (await read('deploy/t69.service')).replaceAll('/opt/t69/', `${root}/`))
      const analyze = async (...args: string[]): Promise<string> => {
        const { stdout, stderr } = await promisify(execFile)('systemd-analyze', args)
        return stdout + stderr
      }
      expect(await analyze('verify', file)).toBe('')
      const verdict = await analyze('security', '--offline=true', `--threshold=${exposure}`, file)
      expect(verdict).toContain('MemoryDenyWriteExecute')
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
)

it.skipIf(systemd === undefined || !canTrace)(
  'the unit of systemd allows every system call that the server makes (needs systemd-analyze and strace)',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 't69-unit-'))
    const counts = join(folder, 'counts')
    try {
      // With -D the server stays the child of this process, and the tracer is the grandchild.
      const through = ['strace', '-D', '-f', '-c', '-o', counts]
      await using server = await startServer({ env: roomyLimits, through })
      await using fleet = await createFleet(server.url)
      const space = await (await fleet.device()).createSpace({ name: 'Traced' })
      space.root.root?.newNamedChild('edit')
      await space.flushed()
      await server.stop()
      // The tracer writes its table after the server has ended.
      const table = (): Promise<string> => readFile(counts, 'utf8').catch(() => '')
      await expect.poll(table).toMatch(/ total$/m)
      const made = [...(await table()).matchAll(/^ *\d.* (?!total$)(\w+)$/gm)].map(([, name = '']) => name)
      expect(made).toEqual(expect.arrayContaining(['fsync', 'accept4', 'clone3']))
      const allowed = await allowedCalls()
      // As root, which the user of the unit is not, SQLite gives the files beside a database to its owner.
      if (process.getuid?.() === 0) allowed.add('fchown')
      expect(made.filter((name) => !allowed.has(name))).toEqual([])
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
)

/** The system calls that the unit allows, as this systemd understands their groups. */
async function allowedCalls(): Promise<Set<string>> {
  const { stdout } = await promisify(execFile)('systemd-analyze', ['syscall-filter'])
  const groups = new Map<string, string[]>()
  for (const block of stdout.split(/^(?=@)/m)) {
    const [group = '', ...names] = block.split('\n').map((line) => line.trim())
    groups.set(
      group,
      names.filter((name) => /^@?\w/.test(name)),
    )
  }
  const callsOf = (name: string): string[] =>
    name.startsWith('@') ? (groups.get(name) ?? []).flatMap(callsOf) : [name]
  const allowed = new Set<string>()
  for (const [, not, names = ''] of (await read('deploy/t69.service')).matchAll(
    /^SystemCallFilter=(~?)(.*)$/gm,
  )) {
    for (const call of names.split(' ').flatMap(callsOf)) {
      if (not === '') allowed.add(call)
      else allowed.delete(call)
    }
  }
  return allowed
}

it.skipIf(!hasSetpriv)(
  't69-server takes the settings as systemd reads them, and runs nothing of them (needs setpriv)',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 't69-command-'))
    const settings = join(folder, 't69.env')
    const { uid, gid } = userInfo()
    const script = (await read('deploy/t69-server'))
      .replace(/^set -- .*/m, 'set -- env -0')
      .replaceAll('/etc/t69.env', settings)
      .replaceAll('--reuid t69 --regid t69', `--reuid ${uid} --regid ${gid}`)
    const command = async (text: string): Promise<Record<string, string>> => {
      await writeFile(settings, text)
      const env = { PATH: process.env['PATH'] }
      const { stdout } = await promisify(execFile)('sh', ['-c', script], { env })
      return Object.fromEntries(stdout.split('\0').map((line) => line.split(/=(.*)/s)))
    }
    const ran = join(folder, 'ran')
    try {
      const taken = await command(
        [
          '# A comment; export no=thing',
          '; another=one',
          '',
          'PUBLIC_URL=https://t69.example.org',
          'MAIL_FROM=t69 <t69@example.org>',
          `SMTP_URL=smtps://name:p&w;touch ${ran}$(touch ${ran})\`touch ${ran}\`$HOME@mail.example.org`,
          'TRUST_PROXY=127.0.0.1, 10.0.0.0/8',
          '  OIDC_NAME =\tOur "company" \t\r',
          'METRICS_TOKEN=ends-with-equals==',
          'JWT_SECRET="  in \\"quotes\\" with \\n and \'#\' "',
          "OIDC_CLIENT_SECRET='as it \\ is'",
          'OIDC_CLIENT_ID=a\\b\\\\c',
          'not-a-name=1',
          'LOG_LEVEL=',
          'REGISTRATION=open',
          'REGISTRATION=closed',
        ].join('\n'),
      )
      expect(taken).toMatchObject({
        DATA_DIR: '/var/lib/t69',
        PUBLIC_URL: 'https://t69.example.org',
        MAIL_FROM: 't69 <t69@example.org>',
        SMTP_URL: `smtps://name:p&w;touch ${ran}$(touch ${ran})\`touch ${ran}\`$HOME@mail.example.org`,
        TRUST_PROXY: '127.0.0.1, 10.0.0.0/8',
        OIDC_NAME: 'Our "company"',
        METRICS_TOKEN: 'ends-with-equals==',
        JWT_SECRET: '  in "quotes" with \\n and \'#\' ',
        OIDC_CLIENT_SECRET: 'as it \\ is',
        OIDC_CLIENT_ID: 'ab\\c',
        LOG_LEVEL: '',
        REGISTRATION: 'closed',
      })
      expect(Object.keys(taken).filter((name) => /no|thing|another/.test(name))).toEqual([])
      expect(existsSync(ran)).toBe(false)
      expect(await command('DATA_DIR=/srv/t69')).toMatchObject({ DATA_DIR: '/srv/t69' })
      // What goes on in the next line is not taken for the whole.
      for (const text of ['SMTP_URL=smtps://\\\nmail', 'MAIL_FROM="t69\n<t69@example.org>"', "OIDC_NAME='"]) {
        await expect(command(text)).rejects.toMatchObject({
          code: 1,
          stderr: expect.stringMatching(/on one line/),
        })
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
)
