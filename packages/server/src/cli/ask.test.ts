import { PassThrough } from 'node:stream'

import { expect, it } from 'vitest'

import { ask } from './ask.ts'

it.each([
  ['y\n', true],
  ['Yes\n', true],
  ['n\n', false],
  ['\n', false],
  ['\u0003', false],
  ['\u0004', false],
])('a question is answered with yes alone: %j', async (keys, answer) => {
  const input = new PassThrough()
  const output = new PassThrough()
  const asked = ask('Delete them?', { input, output })
  input.write(keys)
  expect(await asked).toBe(answer)
  expect(String(output.read())).toContain('Delete them? [y/N] ')
})
