/// <reference types="node" />
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

import type { VertexOperation } from 'reptree'
import { expect, test } from 'vitest'

/** Runs a module in its own process and returns what it printed. Fails if the process does not end in time. */
async function printed(code: string, locale: string, input: unknown = null): Promise<string> {
  const replica = JSON.stringify(new URL('replica.ts', import.meta.url).href)
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      '--conditions=source',
      '--input-type=module',
      '--eval',
      `import { Replica } from ${replica}; const input = JSON.parse(process.argv[1]);\n${code}`,
      JSON.stringify(input),
    ],
    { env: { ...process.env, LC_ALL: locale, LANG: locale }, timeout: 20_000 },
  )
  return stdout.trim()
}

test('[RE1] [RE2] a Danish and an American process show the same tree for the same operations', async () => {
  const peers = ['aa', 'ab', 'z', 'ch', 'Z', 'x\u200d', 'x']
  const ops: VertexOperation[] = [
    { id: { counter: 1, peerId: '1' }, targetId: 'root', parentId: null },
    ...peers.flatMap((peerId): VertexOperation[] => [
      { id: { counter: 2, peerId }, targetId: `v${peerId}`, parentId: 'root' },
      { id: { counter: 3, peerId }, targetId: 'root', key: 'name', value: peerId, transient: false },
      { id: { counter: 4, peerId }, targetId: 'vz', parentId: peerId === 'z' ? 'root' : `v${peerId}` },
    ]),
  ]
  const code = `
    const sorted = ['aa', 'z'].sort((a, b) => a.localeCompare(b)).join()
    console.log(JSON.stringify([sorted, new Replica({ ops: input }).digest()]))`
  const danish: unknown = JSON.parse(await printed(code, 'da_DK.UTF-8', ops))
  const american: unknown = JSON.parse(await printed(code, 'en_US.UTF-8', ops))
  expect(danish).toEqual(['z,aa', expect.stringMatching(/^[0-9a-f]{32}$/)])
  expect(american).toEqual(['aa,z', (danish as string[])[1]])
})

test('replicas that were not disposed keep no process alive, even with events to deliver', async () => {
  const code = `
    const replicas = Array.from({ length: 100 }, () => Replica.create('root'))
    for (const replica of replicas) replica.observe('root', () => {})
    for (const replica of replicas) replica.root.name = 'x'
    console.log('done')`
  expect(await printed(code, 'C')).toBe('done')
})

test('an error of a listener is logged on a platform that cannot report it', async () => {
  const code = `
    const replica = Replica.create('root')
    console.error = (error) => console.log('logged', error.message)
    replica.onLocalOp(() => { throw new Error('broken') })
    console.log(replica.root.id)`
  expect((await printed(code, 'C')).split('\n')).toEqual([
    ...Array.from({ length: 4 }, () => 'logged broken'),
    'root',
  ])
})
