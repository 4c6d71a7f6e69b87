import type { Reporter, SerializedError, TestModule } from 'vitest/node'

/** Ends the run with a line that scripts can parse: `12 passed, 0 failed, 0 skipped`. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 }
    for (const module of modules) {
      // A file that does not load, or a hook that throws, fails the run without failing a test.
      count.failed += module.errors().length
      for (const suite of module.children.allSuites()) count.failed += suite.errors().length
      for (const test of module.children.allTests()) count[test.result().state]++
    }
    const summary = `${count.passed} passed, ${count.failed} failed, ${count.skipped + count.pending} skipped`
    // Printed last, after the summaries of the other reporters and anything that is still closing.
    process.once('exit', () => console.log(summary))
  }
}
