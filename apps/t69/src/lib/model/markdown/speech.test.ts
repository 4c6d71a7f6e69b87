import { expect, test } from 'vitest'

import { createSpeech } from './speech.ts'

const written = [
  '## A title',
  'The **first** sentence. The second one, with `code`! And a third',
  '- one\n- two',
  '```js\nlet a = 1. b\n```',
  'The end. Really.',
].join('\n\n')

const spoken = [
  'A title',
  'The first sentence.',
  'The second one, with code!',
  'And a third',
  'one',
  'two',
  'Code in js.',
  'The end.',
  'Really.',
]

test.each([1, 3, 50, 1_000])(
  'each sentence of a growing text is said once, in order, in pieces of %i',
  (step) => {
    const speech = createSpeech('en')
    const said: string[] = []
    for (let length = 0; length < written.length; length += step)
      said.push(...speech(written.slice(0, length), false))
    said.push(...speech(written, true))
    expect(said).toEqual(spoken)
  },
)

test('a sentence is said before its paragraph has ended, and not before it has itself', () => {
  const speech = createSpeech('en')
  expect(speech('The first sent', false)).toEqual([])
  expect(speech('The first sentence.', false)).toEqual([])
  expect(speech('The first sentence. The', false)).toEqual(['The first sentence.'])
  expect(speech('The first sentence. The second.', true)).toEqual(['The second.'])
  expect(speech('The first sentence. The second.', true)).toEqual([])
})
