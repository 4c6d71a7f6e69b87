import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

import type { Metrics } from '../ports/metrics.ts'

export interface PrometheusMetrics extends Metrics {
  /** Media type of `exposition`. */
  readonly contentType: string
  /** Every figure, in the text format of Prometheus. */
  exposition(): Promise<string>
  /** What is measured when somebody asks. */
  gauge(name: string, help: string, measure: () => number): void
}

/** Commits on a good disk take a millisecond or less, on a bad one hundreds. Seconds. */
const commitBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

/** Counts for one server: two in one process do not share theirs. */
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
    buckets: commitBuckets,
    registers,
  })
  const rejected = counter('operations_rejected_total', 'Operations that were not taken', ['code'])
  const refused = counter('requests_refused_total', 'Requests that were refused', ['event', 'code'])
  const compared = counter('trees_compared_total', "Clients' trees that were compared with the log's")
  const divergences = counter('divergences_total', "Clients' trees that were not as the log has them")
  const lost = counter('history_losses_total', 'Logs that were found to have lost history')
  const failures = counter('storage_failures_total', 'Failures of the file of a space')

  return {
    committing: () => {
      const stop = commits.startTimer()
      return (ops) => {
        stop()
        operations.inc(ops)
      }
    },
    rejected: (code) => rejected.inc({ code }),
    refused: (event, code) => refused.inc({ event, code }),
    compared: (matches) => {
      compared.inc()
      if (!matches) divergences.inc()
    },
    historyLost: () => lost.inc(),
    storageFailed: () => failures.inc(),
    contentType: registry.contentType,
    exposition: () => registry.metrics(),
    gauge: (name, help, measure) => {
      const gauge: Gauge = new Gauge({
        name: `t69_${name}`,
        help,
        registers,
        collect: () => gauge.set(measure()),
      })
    },
  }
}
