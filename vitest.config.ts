import { availableParallelism } from 'node:os'

import { defineConfig } from 'vitest/config'

// Packages resolve each other's source, so that tests run without a build. What was built is used only by the stories and
// faults that start the server as a process, the test that packs the packages, and the one without Symbol.dispose.
const source = { resolve: { conditions: ['source'] }, ssr: { resolve: { conditions: ['source'] } } }

// A machine that is busy gets there later, and is not wrong. Vitest's own second is short for that.
const patient = { expect: { poll: { timeout: 20_000 } } }

export default defineConfig({
  test: {
    reporters: ['default', './tests/summary-reporter.ts'],
    // The groups run one after the other: a browser beside a thousand simulations tells of the machine's load only.
    projects: [
      {
        ...source,
        test: {
          ...patient,
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'tests/lib/**/*.test.ts'],
          testTimeout: 30_000,
          // Of two cores, Vitest would use one.
          maxWorkers: Math.max(2, availableParallelism() - 1),
          sequence: { groupOrder: 0 },
        },
      },
      {
        ...source,
        test: {
          ...patient,
          name: 'system',
          include: ['tests/system/**/*.test.ts', 'tests/fuzz/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        ...source,
        test: {
          ...patient,
          name: 'faults',
          include: ['tests/faults/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          // Each has a server of its own and much to do for it.
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
      {
        ...source,
        test: {
          ...patient,
          name: 'browser',
          include: ['tests/browser/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
})
