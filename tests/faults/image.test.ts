import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

import { expect, it } from 'vitest'

import { findInPath } from '../lib/find-in-path.ts'

const image = 'localhost/t69-sync-tried'
const checkout = join(import.meta.dirname, '../..')

it('the image is built, started, and serves two people (needs root, buildah and debootstrap)', async (context) => {
  const programs = await Promise.all(['buildah', 'debootstrap'].map((name) => findInPath([name])))
  if (process.getuid?.() !== 0 || programs.includes(undefined))
    context.skip('root, buildah and debootstrap are needed to build the image')
  const story = ['node_modules/.bin/vitest', 'run', '--project', 'browser', 'tests/browser/image.test.ts']
  const script = spawn('deploy/build-image.sh', [image, ...story], {
    cwd: checkout,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [script.stdout, script.stderr]) stream.on('data', (text) => (said += String(text)))
  const [code] = await once(script, 'exit')
  expect(code, said.slice(-4_000)).toBe(0)
  expect(said).toContain('1 passed, 0 failed, 0 skipped')
  execFileSync('buildah', ['rmi', image], { env: { ...process.env, STORAGE_DRIVER: 'vfs' } })
}, 1_200_000)
