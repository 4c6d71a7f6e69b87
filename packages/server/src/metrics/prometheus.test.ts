import { expect, it } from 'vitest'

import { newUserId } from '../testing/ops.ts'
import { createPrometheusMetrics } from './prometheus.ts'

async function figures(metrics: ReturnType<typeof createPrometheusMetrics>): Promise<Record<string, number>> {
  const lines = (await metrics.exposition()).split('\n').filter((line) => line.startsWith('t69_'))
  return Object.fromEntries(
    lines.map((line) => line.split(' ')).map(([name, value]) => [name, Number(value)]),
  )
}

it('a member who sends wrong digests raises the figure that should stay 0 once, and no further', async () => {
  const metrics = createPrometheusMetrics()
  const [mallory, ben] = [newUserId(), newUserId()]
  for (let time = 0; time < 1_000; time++) metrics.compared(false, mallory)
  metrics.compared(true, ben)
  const claims = { t69_divergence_claims_total: 1_000, t69_trees_compared_total: 1_001 }
  expect(await figures(metrics)).toMatchObject({ ...claims, t69_divergences_total: 1 })
  metrics.compared(false, ben)
  expect(await figures(metrics)).toMatchObject({ t69_divergences_total: 2 })
})

it('a loss of history that a client claims is not counted with those that the server saw', async () => {
  const metrics = createPrometheusMetrics()
  metrics.historyLost('client')
  metrics.historyLost('client')
  metrics.historyLost('server')
  expect(await figures(metrics)).toMatchObject({
    't69_history_losses_total{found_by="client"}': 2,
    't69_history_losses_total{found_by="server"}': 1,
  })
})

it('figures that somebody is woken for are there before the first event, so that it is an increase', async () => {
  expect(await figures(createPrometheusMetrics())).toMatchObject({
    't69_history_losses_total{found_by="server"}': 0,
    t69_connections_dropped_total: 0,
    t69_divergences_total: 0,
    t69_clock_jumps_total: 0,
  })
})

it('a figure that cannot be measured keeps nobody from the others', async () => {
  const metrics = createPrometheusMetrics()
  metrics.gauge('disk_free_bytes', 'Bytes that are free', () => Promise.reject(new Error('EIO: i/o error')))
  metrics.gauge('users', 'Accounts', () => {
    throw new Error('disk I/O error')
  })
  metrics.gauge('connections', 'Sockets', () => 3)
  expect(await figures(metrics)).toMatchObject({
    t69_connections: 3,
    t69_disk_free_bytes: Number.NaN,
    t69_users: Number.NaN,
  })
})
