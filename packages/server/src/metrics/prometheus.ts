import type { SpaceId, UserId } from '@t69/protocol'
import { LRUCache } from 'lru-cache'
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

import type { Metrics } from '../ports/metrics.ts'
import { serverVersion } from '../ports/version.ts'

export interface PrometheusMetrics extends Metrics {
  /** Media type of `exposition`. */
  readonly contentType: string
  /** Every figure, in the text format of Prometheus. */
  exposition(): Promise<string>
  /** Adds a figure that is measured whenever `exposition` is asked for. It is no number (NaN) while that fails. */
  gauge(name: string, help: string, measure: () => number | Promise<number>): void
}

/** How long a space counts as failing after its file failed, in ms. */
const failingMs = 10 * 60_000

/** Bounds of the histograms, in seconds: a good disk takes 1 ms or less, a bad one hundreds. */
const secondBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

/** Metrics of one server: two servers in one process do not share them. */
export function createPrometheusMetrics(): PrometheusMetrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[] = []) =>
    new Counter({ name: `t69_${name}`, help, labelNames, registers })

  const operations = counter('operations_committed_total', 'Operations that were added to logs')
  const commits = new Histogram({
    name: 't69_commit_seconds',
    help: 'How long a transaction of a space took, the flush to disk included',
    buckets: secondBuckets,
    registers,
  })
  const acks = new Histogram({
    name: 't69_ack_seconds',
    help: 'How long a request on a socket took, until its ack',
    labelNames: ['event'],
    buckets: secondBuckets,
    registers,
  })
  const answers = new Histogram({
    name: 't69_http_seconds',
    help: 'How long a request over HTTP took',
    labelNames: ['route', 'status'],
    buckets: secondBuckets,
    registers,
  })
  const rejected = counter('operations_rejected_total', 'Operations that were rejected', ['code'])
  const refused = counter('requests_refused_total', 'Requests that were refused', ['event', 'code'])
  const compared = counter('trees_compared_total', "Clients' trees that were compared with the log's")
  const claims = counter('divergence_claims_total', 'Comparisons in which a client named another digest')
  const divergences = counter('divergences_total', 'Users with a tree that did not match the log, each once')
  const lost = counter('history_losses_total', 'Logs that were found to have lost history', ['found_by'])
  // A series that begins with its first event shows no increase at it, and nobody would be told.
  for (const found_by of ['server', 'client']) lost.inc({ found_by }, 0)
  const read = counter('files_read_total', 'Files of spaces that were read through', ['result'])
  for (const result of ['sound', 'damaged', 'failed']) read.inc({ result }, 0)
  const failures = counter('storage_failures_total', 'Failures of the file of a space')
  const dropped = counter(
    'connections_dropped_total',
    'Connections that were turned away: too many were open',
  )
  const jumps = counter('clock_jumps_total', 'Jumps of the clock of the machine')

  /**
   * Whoever differed since the process began. A client may name any digest as often as it likes, and must not be able
   * to raise a figure that operators watch more than once.
   */
  const diverged = new LRUCache<UserId, true>({ max: 10_000 })

  /** Spaces whose file failed a while ago at most. */
  const failing = new LRUCache<SpaceId, true>({ max: 10_000, ttl: failingMs })
  gauge('failing_spaces', 'Spaces whose file failed in the last ten minutes', () => {
    failing.purgeStale()
    return failing.size
  })
  const info = new Gauge({ name: 't69_info', help: 'The version', labelNames: ['version'], registers })
  info.set({ version: serverVersion }, 1)

  function gauge(name: string, help: string, measure: () => number | Promise<number>): void {
    const measured: Gauge = new Gauge({
      name: `t69_${name}`,
      help,
      registers,
      collect: async () => measured.set(await measureOr(Number.NaN, measure)),
    })
  }

  return {
    committing: () => {
      const stop = commits.startTimer()
      return (ops) => {
        stop()
        operations.inc(ops)
      }
    },
    rejected: (code) => rejected.inc({ code }),
    answered: (route, status, seconds) => answers.observe({ route, status }, seconds),
    asked: (event) => {
      const stop = acks.startTimer({ event })
      return () => void stop()
    },
    refused: (event, code) => refused.inc({ event, code }),
    compared: (matches, userId) => {
      compared.inc()
      if (matches) return
      claims.inc()
      if (diverged.has(userId)) return
      diverged.set(userId, true)
      divergences.inc()
    },
    historyLost: (foundBy) => lost.inc({ found_by: foundBy }),
    fileRead: (result) => read.inc({ result }),
    storageFailed: (spaceId) => {
      failures.inc()
      failing.set(spaceId, true)
    },
    clockJumped: () => jumps.inc(),
    connectionDropped: () => dropped.inc(),
    contentType: registry.contentType,
    exposition: () => registry.metrics(),
    gauge,
  }
}

async function measureOr(otherwise: number, measure: () => number | Promise<number>): Promise<number> {
  try {
    return await measure()
  } catch {
    return otherwise
  }
}
