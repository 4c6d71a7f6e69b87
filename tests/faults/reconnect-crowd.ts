import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

import {
  encodeBatch,
  inviteSchema,
  randomHexId,
  sessionSchema,
  spaceIdSchema,
  type SessionReply,
} from '@t69/protocol'
import { createServer, parseConfig } from '@t69/server'

import { rootOf } from '../lib/cast.ts'
import { connectRaw } from '../lib/raw-socket.ts'
import type { Answer, Ask, Person, Report, Settle } from './reconnect-clients.ts'

const password = 'correct horse battery'
const cheap = { memoryCost: 8, timeCost: 1, parallelism: 1 }

/** Creates accounts, sessions and shared spaces in a data directory, as after years of use. */
export async function settleIn(
  dataDir: string,
  count: number,
  perSpace: number,
  env: Readonly<Record<string, string>> = {},
): Promise<Person[]> {
  const generous = { SIGN_IN_LIMIT_PER_ADDRESS: '1000000', REQUEST_LIMIT_PER_ADDRESS: '1000000' }
  const quick = { PORT: '0', LOG_LEVEL: 'silent', REGISTRATION: 'open', SQLITE_SYNCHRONOUS: 'normal' }
  const config = parseConfig({ DATA_DIR: dataDir, ...generous, ...quick, ...env })
  const server = await createServer(config, { passwordCost: cheap })
  await server.listen()

  async function call(url: string, payload: object, session?: SessionReply): Promise<unknown> {
    const headers = session === undefined ? {} : { authorization: `Bearer ${session.accessToken}` }
    const response = await server.http.inject({ method: 'POST', url, payload, headers })
    if (response.statusCode >= 300) throw new Error(`${url}: ${response.statusCode} ${response.body}`)
    return response.json()
  }

  const people: Person[] = []
  try {
    while (people.length < count) {
      // Each token is used at once: with a short life it would not outlive the others' passwords.
      const register = async (): Promise<SessionReply> => {
        const name = `Person ${people.length}`
        const email = `${randomHexId()}@example.org`
        return sessionSchema.parse(await call('/api/auth/register', { email, password, name }))
      }
      const owner = await register()
      const spaceId = spaceIdSchema.parse(randomHexId())
      await call('/api/spaces', { id: spaceId, name: 'Office' }, owner)
      const invite = await call(`/api/spaces/${spaceId}/invites`, { role: 'editor' }, owner)
      const { token } = inviteSchema.parse(invite)
      using socket = await connectRaw(server.url, owner.accessToken)
      await socket.request('space:join', { spaceId })
      await socket.request('ops:push', { spaceId, batch: encodeBatch({ spaceId, ops: rootOf(spaceId) }) })
      people.push({ session: owner, spaceId })
      for (let others = Math.min(perSpace - 1, count - people.length); others > 0; others--) {
        const session = await register()
        await call(`/api/invites/${token}/accept`, {}, session)
        people.push({ session, spaceId })
      }
    }
  } finally {
    await server.close()
  }
  return people
}

/** The devices of everybody, in a few processes. Each call asks all of them and waits for their answers. */
export interface Crowd extends AsyncDisposable {
  edit(name: string): Promise<void>
  settle(ask: Omit<Settle, 'do'>): Promise<void>
  report(): Promise<Report>
  /** Stops the processes (SIGSTOP) until `thaw`, as closing a laptop does. */
  freeze(): void
  thaw(): void
}

export async function gather(url: string, people: readonly Person[], processes: number): Promise<Crowd> {
  const share = Math.ceil(people.length / processes)
  const groups = Array.from({ length: processes }, (_, at) => {
    const child = fork(join(import.meta.dirname, 'reconnect-clients.ts'), {
      execArgv: ['--conditions=source'],
    })
    const gone = new AbortController()
    child.once('exit', () => gone.abort(new Error('a process of clients ended')))
    return { child, gone, people: people.slice(at * share, (at + 1) * share) }
  })

  async function ask({ child, gone }: (typeof groups)[number], what: Ask): Promise<Report | null> {
    const answer = once(child, 'message', { signal: gone.signal })
    child.send(what)
    const [message] = (await answer) as [Answer]
    if ('failed' in message) throw new Error(message.failed)
    return message.answered
  }
  const askAll = (what: Ask) => Promise.all(groups.map((group) => ask(group, what)))

  await Promise.all(groups.map((group) => ask(group, { do: 'open', url, people: group.people })))
  return {
    edit: async (name) => void (await askAll({ do: 'edit', name })),
    settle: async (expected) => void (await askAll({ do: 'settle', ...expected })),
    async report() {
      const reports = (await askAll({ do: 'report' })).filter((report) => report !== null)
      return reports.reduce(joined)
    },
    freeze() {
      for (const { child } of groups) child.kill('SIGSTOP')
    },
    thaw() {
      for (const { child } of groups) child.kill('SIGCONT')
    },
    async [Symbol.asyncDispose]() {
      for (const { child } of groups) {
        const ended = child.exitCode === null ? once(child, 'exit') : undefined
        child.kill('SIGKILL')
        await ended
      }
    },
  }
}

function joined(a: Report, b: Report): Report {
  const refreshes = { ...a.refreshes }
  for (const [status, count] of Object.entries(b.refreshes)) {
    refreshes[status] = (refreshes[status] ?? 0) + count
  }
  const digests = { ...a.digests }
  for (const [spaceId, of] of Object.entries(b.digests))
    digests[spaceId] = [...(digests[spaceId] ?? []), ...of]
  return {
    firstWaits: [...a.firstWaits, ...b.firstWaits],
    attempts: [...a.attempts, ...b.attempts],
    opened: [...a.opened, ...b.opened],
    refreshes,
    signedOut: a.signedOut + b.signedOut,
    digests,
    seeDouble: a.seeDouble + b.seeDouble,
  }
}

/** The number of moments in each interval of `stepMs` from `begin`. */
export function histogram(times: readonly number[], begin: number, stepMs = 100): number[] {
  const counts: number[] = []
  for (const time of times) {
    const at = Math.max(0, Math.floor((time - begin) / stepMs))
    counts[at] = (counts[at] ?? 0) + 1
  }
  return Array.from(counts, (count) => count ?? 0)
}

/** The number of sockets, from the server's own metrics. */
export async function socketsOf(url: string, metricsToken: string): Promise<number> {
  const headers = { authorization: `Bearer ${metricsToken}` }
  const figures = await fetch(`${url}/metrics`, { headers }).then((response) => response.text())
  return Number(/^\S*connections (\d+)$/m.exec(figures)?.[1])
}

/** The quantile of sorted numbers. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** Requests a server's health repeatedly, and records how long each answer took. */
export function watchHealth(url: string): { stop(): Promise<number[]> } {
  const stopping = new AbortController()
  const latencies: number[] = []
  async function watch(): Promise<void> {
    while (!stopping.signal.aborted) {
      const begun = performance.now()
      const isUp = await fetch(`${url}/health`).then(
        async (response) => (await response.text()).length > 0,
        () => false,
      )
      if (isUp) latencies.push(performance.now() - begun)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  const watching = watch()
  return {
    async stop() {
      stopping.abort()
      await watching
      return latencies.toSorted((a, b) => a - b)
    },
  }
}
