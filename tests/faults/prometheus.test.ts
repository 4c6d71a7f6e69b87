import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { expect, it } from 'vitest'
import { z } from 'zod'

import { findInPath } from '../lib/find-in-path.ts'
import { startPrometheus } from '../lib/prometheus.ts'
import { startServer } from '../lib/server-process.ts'
import { anna, createFleet, roomyLimits } from './fleet.ts'

const deploy = join(import.meta.dirname, '../../deploy')
const read = (file: string): Promise<string> => readFile(join(deploy, file), 'utf8')

const promtool = await findInPath(['promtool'])
const prometheusProgram = await findInPath(['prometheus'])

const dashboardSchema = z.object({
  panels: z.array(
    z.object({ title: z.string(), targets: z.array(z.object({ expr: z.string() })).optional() }),
  ),
})

/** The queries of the dashboard as Grafana sends them, with every server and its own intervals. */
async function dashboardQueries(): Promise<string[]> {
  const { panels } = dashboardSchema.parse(JSON.parse(await read('grafana-dashboard.json')))
  return panels
    .flatMap(({ targets = [] }) => targets)
    .map(({ expr }) => expr.replaceAll('$instance', '.*').replaceAll('$__rate_interval', '1m'))
}

/** What is only there once something of the kind has happened, which does not happen to a server that is well. */
const rare = /t69_operations_rejected_total|code=~/

/** A rule without its bounds: what it looks at. */
const unbounded = (query: string): string => query.replaceAll(/ [<>=]+ -?[\d.]+/g, '')

it.skipIf(promtool === undefined)(
  'the alert rules are right, each fires when it should, and none while all is well (needs promtool)',
  async () => {
    if (promtool === undefined) throw new Error('it was there')
    const run = promisify(execFile)
    const rules = await read('alerts.yml')
    const names = [...rules.matchAll(/alert: (\w+)/g)].map(([, name = '']) => name)
    const { stdout } = await run(promtool, ['check', 'rules', 'alerts.yml'], { cwd: deploy })
    expect(stdout).toContain(`SUCCESS: ${names.length} rules found`)
    const tested = await run(promtool, ['test', 'rules', 'alerts.test.yml'], { cwd: deploy })
    expect(tested.stdout).toContain('SUCCESS')
    const tests = await read('alerts.test.yml')
    expect(names.filter((name) => !tests.includes(`alertname="${name}"`))).toEqual([])
  },
)

it('every figure of the server is in the dashboard or in an alert', async () => {
  const readme = await readFile(join(deploy, '../packages/server/README.md'), 'utf8')
  const figures = [...readme.matchAll(/^\| `(t69_\w+?)(?:\{.*?\})?`/gm)].map(([, name = '']) => name)
  expect(figures.length).toBeGreaterThan(25)
  const used = [...(await dashboardQueries()), await read('alerts.yml')].join('\n')
  expect(figures.filter((name) => !used.includes(name))).toEqual([])
})

it('docs/operations.md says which rules cannot wait and which are for the morning, as the rules do', async () => {
  const rules = [...(await read('alerts.yml')).matchAll(/ expr: (.+)\n[^]*?severity: (\w+)/g)]
  const lookedAt = (text: string): string[] =>
    [...text.matchAll(/\b(?:up(?=\{)|(?:t69|nodejs)_\w+?(?=_bucket|\b))/g)].map(([name]) => name).slice(0, 1)
  const withSeverity = (severity: string): Set<string> =>
    new Set(rules.filter((rule) => rule[2] === severity).flatMap(([, query = '']) => lookedAt(query)))
  const operations = await readFile(join(deploy, '../docs/operations.md'), 'utf8')
  const [, section = ''] = operations.split('\n## Watch it\n')
  const [urgent = '', rest = ''] = (section.split('\n## ')[0] ?? '').split('in the morning')
  const rows = urgent.split('\n').filter((line) => line.startsWith('| `'))
  expect(new Set(rows.flatMap(lookedAt))).toEqual(withSeverity('page'))
  expect(new Set(rest.split('`').flatMap(lookedAt))).toEqual(withSeverity('ticket'))
})

it.skipIf(prometheusProgram === undefined)(
  'each query of the dashboard and of the alerts runs against a server under load, and finds its figures (needs prometheus)',
  async () => {
    if (prometheusProgram === undefined) throw new Error('it was there')
    const token = 'a token of metrics, long enough'.replaceAll(' ', '-').padEnd(32, '-')
    await using server = await startServer({ env: { ...roomyLimits, METRICS_TOKEN: token } })
    await using prometheus = await startPrometheus(prometheusProgram, { server: server.url, token })
    await using fleet = await createFleet(server.url)
    const space = await (await fleet.device()).createSpace({ name: 'Measured' })
    for (let edit = 0; edit < 20; edit++) {
      space.root.root?.newNamedChild(`edit ${edit}`)
      await space.flushed()
    }
    const refused = await fetch(`${server.url}/api/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: anna.email, password: 'not the password' }),
    })
    expect(refused.status).toBe(401)
    // Two readings of each make a rate.
    for (const figure of ['t69_ack_seconds_count', 't69_requests_refused_total']) {
      await expect.poll(() => prometheus.query(`count_over_time(${figure}[1m]) >= 2`)).not.toEqual([])
    }

    const rules = await prometheus.rules()
    const queries = [...(await dashboardQueries()), ...rules.map(({ query }) => unbounded(query))]
    expect(queries.length).toBeGreaterThan(60)
    const empty: string[] = []
    for (const query of queries) {
      const series = await prometheus.query(query)
      if (series.length === 0) empty.push(query)
    }
    expect(empty.filter((query) => !rare.test(query))).toEqual([])
    await expect
      .poll(async () => (await prometheus.rules()).map(({ health }) => health))
      .toEqual(rules.map(() => 'ok'))
    const firing = await prometheus.query('ALERTS{alertstate="firing", alertname!~"T69Disk.*"}')
    expect(firing).toEqual([])
  },
)
