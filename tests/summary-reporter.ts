import type { Reporter, SerializedError, TestModule } from 'vitest/node'

/**
 * Ends the run with why tests were skipped, as where a program is not installed, and with a line that scripts can parse:
 * `12 passed, 0 failed, 2 skipped`.
 */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 }
    const reasons = new Map<string, number>()
    for (const module of modules) {
      // A file that does not load, or a hook that throws, fails the run without failing a test.
      count.failed += module.errors().length
      for (const suite of module.children.allSuites()) count.failed += suite.errors().length
      for (const test of module.children.allTests()) {
        const result = test.result()
        count[result.state]++
        if (result.state === 'skipped' && result.note !== undefined)
          reasons.set(result.note, (reasons.get(result.note) ?? 0) + 1)
      }
    }
    for (const [reason, tests] of reasons) console.log(`${tests} skipped: ${reason}`)
    const summary = `${count.passed} passed, ${count.failed} failed, ${count.skipped + count.pending} skipped`
    // Printed last, after the summaries of the other reporters and anything that is still closing.
    process.once('exit', () => console.log(summary))
  }
}
