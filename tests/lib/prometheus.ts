import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect } from 'vitest'
import { z } from 'zod'

import { freePort } from './server-process.ts'

const deploy = join(import.meta.dirname, '../../deploy')

const answerSchema = z.object({ status: z.string(), error: z.string().optional(), data: z.unknown() })
const resultSchema = z.object({ result: z.array(z.object({ metric: z.record(z.string(), z.string()) })) })
const rulesSchema = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({
          name: z.string(),
          query: z.string(),
          health: z.string(),
          lastError: z.string().optional(),
        }),
      ),
    }),
  ),
})

export type Rule = z.output<typeof rulesSchema>['groups'][number]['rules'][number]

/** A real Prometheus with the configuration and the rules in `deploy/`, which reads a server every second. */
export interface Prometheus extends AsyncDisposable {
  /** The labels of the series that a query gives now. Rejects for a query that Prometheus does not understand. */
  query(expression: string): Promise<Readonly<Record<string, string>>[]>
  rules(): Promise<Rule[]>
}

export async function startPrometheus(
  program: string,
  { server, token }: { readonly server: string; readonly token: string },
): Promise<Prometheus> {
  const folder = await mkdtemp(join(tmpdir(), 't69-prometheus-'))
  const tokenFile = join(folder, 'token')
  await writeFile(tokenFile, token)
  const config = (await readFile(join(deploy, 'prometheus.yml'), 'utf8'))
    .replaceAll('15s', '1s')
    .replace('[alerts.yml]', `[${join(deploy, 'alerts.yml')}]`)
    .replace('/run/secrets/metrics-token', tokenFile)
    .replace('t69:3000', new URL(server).host)
  const file = join(folder, 'prometheus.yml')
  await writeFile(file, config)
  const address = `127.0.0.1:${await freePort()}`
  const args = [
    `--config.file=${file}`,
    `--storage.tsdb.path=${folder}/data`,
    `--web.listen-address=${address}`,
  ]
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (log += text))

  async function ask(path: string): Promise<unknown> {
    const response = await fetch(`http://${address}/api/v1/${path}`)
    const { status, error, data } = answerSchema.parse(await response.json())
    if (status !== 'success') throw new Error(`${path}: ${error}`)
    return data
  }

  async function stop(): Promise<void> {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit')
      child.kill('SIGTERM')
      const deadline = setTimeout(() => child.kill('SIGKILL'), 5_000)
      await gone
      clearTimeout(deadline)
    }
    await rm(folder, { recursive: true, force: true })
  }

  const prometheus: Prometheus = {
    query: async (expression) =>
      resultSchema
        .parse(await ask(`query?query=${encodeURIComponent(expression)}`))
        .result.map(({ metric }) => metric),
    rules: async () => rulesSchema.parse(await ask('rules')).groups.flatMap(({ rules }) => rules),
    [Symbol.asyncDispose]: stop,
  }
  try {
    await expect
      .poll(() => prometheus.query('up{job="t69"} == 1').catch(() => []), { message: 'it reads the server' })
      .not.toEqual([])
    return prometheus
  } catch (error) {
    await stop()
    throw new Error(`${String(error)}\n${log}`, { cause: error })
  }
}
