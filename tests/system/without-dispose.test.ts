import { spawnSync } from 'node:child_process'

import { describe, expect, it } from 'vitest'

/**
 * Hides `Symbol.dispose` and `Symbol.asyncDispose`, which Safari lacks. They cannot be deleted, and no proxy of `Symbol`
 * itself may hide them.
 */
const hideDispose = `
  const native = Symbol
  globalThis.Symbol = new Proxy(() => {}, {
    get: (_, key) => (key === 'dispose' || key === 'asyncDispose' ? undefined : native[key]),
    apply: (_, __, args) => native(...args),
  })
`

/**
 * Runs a module in a Node process of its own without these symbols, and returns what it printed. It gets the packages
 * as they were built (`pnpm build` first), since Node itself runs a `using` that is not compiled.
 */
function run(source: string): string {
  const packages = new URL('../../packages/', import.meta.url).href
  const module = `${hideDispose}; const load = (path) => import('${packages}' + path); ${source}`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', module], {
    encoding: 'utf8',
  })
  return stdout + stderr
}

describe('A browser without Symbol.dispose', () => {
  it('[DV4] rebuilds a tree that does not match the log, and one that does not match the storage', () => {
    const printed = run(`
      const { Replica, toTreeOperation } = await load('replica/dist/index.js')
      const { createTreeChecks } = await load('sync-client/dist/space/tree-checks.js')
      const treeId = 'a'.repeat(32)
      const stored = Replica.create(treeId)
      const ops = stored.getAllOps().map((op) => toTreeOperation(op, { spaceId: treeId, treeId }))
      const shown = new Replica({ treeId })
      const timers = []
      const checks = createTreeChecks({
        runtime: { now: () => 0, random: () => 0, setTimer: (callback) => (timers.push(callback), () => {}) },
        trees: { ids: () => [treeId], get: () => shown, replace: async () => {} },
        readTree: async () => ops,
        cursor: () => 5,
        compare: (treeId, cursor) =>
          checks.compared({ treeId, cursor, matches: false, digest: stored.digest() }),
        distrust: () => console.log('distrusts its storage'),
        report: ({ source }) => console.log('differs from its ' + source),
        onReplaced: () => console.log('rebuilt'),
      })
      await checks.rebuilt()
      checks.changed(treeId)
      // Quiet twice, then the comparison.
      timers.shift()()
      timers.shift()()
    `)
    expect(printed).toBe('differs from its storage\nrebuilt\ndiffers from its replica\nrebuilt\n')
  })

  it('gets no method named "undefined"', () => {
    const printed = run(`
      const { Replica } = await load('replica/dist/index.js')
      const { createSyncClient, memoryStorage } = await load('sync-client/dist/index.js')
      const client = createSyncClient({ url: 'http://localhost:1', storage: memoryStorage() })
      console.log('undefined' in Replica.create('tree'), 'undefined' in client)
      await client.close()
    `)
    expect(printed).toBe('false false\n')
  })
})
