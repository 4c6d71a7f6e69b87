import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

import type { Metrics } from '../ports/metrics.ts'

export interface PrometheusMetrics extends Metrics {
  /** Media type of `exposition`. */
  readonly contentType: string
  /** Every figure, in the text format of Prometheus. */
  exposition(): Promise<string>
  /** Adds a figure that is measured whenever `exposition` is asked for. */
  gauge(name: string, help: string, measure: () => number): void
}

/** Bounds of the histogram of commits, in seconds: a good disk takes 1 ms or less, a bad one hundreds. */
const commitBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

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
    buckets: commitBuckets,
    registers,
  })
  const rejected = counter('operations_rejected_total', 'Operations that were rejected', ['code'])
  const refused = counter('requests_refused_total', 'Requests that were refused', ['event', 'code'])
  const compared = counter('trees_compared_total', "Clients' trees that were compared with the log's")
  const divergences = counter('divergences_total', "Clients' trees that did not match the log")
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
