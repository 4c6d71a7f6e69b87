import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'

import { defineConfig } from 'vitest/config'

// Packages resolve each other's source, so that tests run without a build. What was built is used only by the stories and
// faults that start the server as a process, the test that packs the packages, and the one without Symbol.dispose.
const source = { resolve: { conditions: ['source'] }, ssr: { resolve: { conditions: ['source'] } } }

// With threads that come and go, V8 crashes now and then: docs/decisions/0094.
const sound = {
  execArgv:
    process.platform === 'linux' ? ['--no-memory-protection-keys', '--no-sparkplug'] : ['--no-sparkplug'],
  // What strips types is WebAssembly, which each thread would compile and drop again. So threads load what others have stripped.
  env: { NODE_COMPILE_CACHE: fileURLToPath(new URL('node_modules/.cache/node', import.meta.url)) },
}

// A machine that is busy gets there later, and is not wrong. Vitest's own second is short for that.
const patient = { expect: { poll: { timeout: 20_000 } } }

// Of two cores, Vitest would use one.
const workers = Math.max(2, availableParallelism() - 1)

export default defineConfig({
  test: {
    reporters: ['default', './tests/summary-reporter.ts'],
    // The groups run one after the other: a browser beside a thousand simulations tells of the machine's load only.
    projects: [
      {
        ...source,
        test: {
          ...sound,
          ...patient,
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'tests/lib/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          maxWorkers: workers,
          sequence: { groupOrder: 0 },
        },
      },
      {
        ...source,
        test: {
          ...sound,
          ...patient,
          name: 'system',
          include: ['tests/system/**/*.test.ts', 'tests/fuzz/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          maxWorkers: workers,
          sequence: { groupOrder: 1 },
        },
      },
      {
        ...source,
        test: {
          ...sound,
          ...patient,
          name: 'faults',
          include: ['tests/faults/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          // Each has a server of its own and much to do for it. Those that mostly wait for theirs say that they may run at once.
          fileParallelism: false,
          maxConcurrency: 3,
          sequence: { groupOrder: 2 },
        },
      },
      {
        ...source,
        test: {
          ...sound,
          // As long as a page waits for anything (device.ts).
          expect: { poll: { timeout: 45_000 } },
          name: 'browser',
          include: ['tests/browser/**/*.test.ts'],
          testTimeout: 240_000,
          hookTimeout: 120_000,
          // Each has a server and a browser of its own, and waits for them half of the time.
          maxWorkers: 2,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
})
