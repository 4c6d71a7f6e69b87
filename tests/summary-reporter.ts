import type { Reporter, TestModule } from 'vitest/node'

/** Ends the run with one plain line that scripts can read: `12 passed, 0 failed, 0 skipped`. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const count = { passed: 0, failed: 0, skipped: 0, pending: 0 }
    for (const module of modules) {
      if (module.state() === 'failed' && module.children.size === 0) count.failed++
      for (const test of module.children.allTests()) count[test.result().state]++
    }
    const summary = `${count.passed} passed, ${count.failed} failed, ${count.skipped + count.pending} skipped`
    process.once('exit', () => console.log(summary))
  }
}
