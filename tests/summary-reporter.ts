import type { Reporter, SerializedError, TestModule } from 'vitest/node'

/** Ends the run with one plain line that scripts can read: `12 passed, 0 failed, 0 skipped`. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 }
    for (const module of modules) {
      // A file that does not load and a hook that throws fail no test of their own, and fail the run.
      count.failed += module.errors().length
      for (const suite of module.children.allSuites()) count.failed += suite.errors().length
      for (const test of module.children.allTests()) count[test.result().state]++
    }
    const summary = `${count.passed} passed, ${count.failed} failed, ${count.skipped + count.pending} skipped`
    // Last of all, after the other reporters' own summaries and whatever still closes.
    process.once('exit', () => console.log(summary))
  }
}
