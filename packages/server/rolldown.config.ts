import { defineConfig } from 'rolldown'

/** Each thread is one file, with what it uses of the packages: it would load, and keep, much more of them (docs/decisions/0087). */
const threads = ['storage/storage-thread', 'storage/examine-thread', 'trees/tree-thread']

export default defineConfig(
  threads.map((thread) => ({
    input: `src/${thread}.ts`,
    // Its native code is loaded once for all threads.
    external: ['better-sqlite3'],
    platform: 'node',
    // Takes the place of what the compiler wrote there. Comments would be kept in memory with the code.
    output: { file: `dist/${thread}.js`, comments: false, sourcemap: true, sourcemapExcludeSources: true },
  })),
)
