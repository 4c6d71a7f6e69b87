import { expect, test } from 'vitest'

import { saidIn } from './thoughts.ts'

const said = (text: string, thinking = '') => saidIn({ text, thinking })

test('a reply without thoughts is its answer', () => {
  for (const answer of ['', 'Yes.', 'In <think> tags', 'a < b', '```\n<think>\n```', '```\n</think>\n```'])
    expect(said(answer)).toEqual({ thoughts: '', answer })
})

test.each(['think', 'thinking', 'thought', 'reasoning', 'THINK'])(
  'thoughts in <%s> are told from the answer',
  (tag) => {
    expect(said(`<${tag}>\nHm.\n\nSo.\n</${tag}>\n\nYes.`)).toEqual({
      thoughts: 'Hm.\n\nSo.',
      answer: 'Yes.',
    })
  },
)

test('thoughts that a model closes without having opened them are told from the answer', () => {
  expect(said('Hm.\n</think>\n\nYes.')).toEqual({ thoughts: 'Hm.', answer: 'Yes.' })
})

test('thoughts that go on are all there is, and no part of a tag shows as they grow', () => {
  const text = '<think>Hm. a < b</think>Yes.'
  for (let length = '<think>'.length; length <= text.length; length++) {
    const { thoughts, answer } = said(text.slice(0, length))
    expect('Hm. a < b'.startsWith(thoughts)).toBe(true)
    expect('Yes.'.startsWith(answer)).toBe(true)
  }
})

test('thoughts beside the text and in it are both shown', () => {
  expect(said('Yes.', 'Hm.')).toEqual({ thoughts: 'Hm.', answer: 'Yes.' })
  expect(said('<think>So.</think>Yes.', 'Hm.')).toEqual({ thoughts: 'Hm.\n\nSo.', answer: 'Yes.' })
})

test('an empty pair of tags is no thought', () => {
  expect(said('<think>\n\n</think>\n\nYes.')).toEqual({ thoughts: '', answer: 'Yes.' })
})
