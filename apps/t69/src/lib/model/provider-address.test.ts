import { expect, test } from 'vitest'

import { addressFrom, hostOf, withoutSlashes } from './provider-address.ts'

test.each([
  ['https://api.openai.com/v1', 'https://api.openai.com/v1'],
  ['https://api.openai.com/v1/', 'https://api.openai.com/v1'],
  ['https://api.openai.com', 'https://api.openai.com/v1'],
  ['api.openai.com', 'https://api.openai.com/v1'],
  ['  HTTPS://API.OpenAI.com/v1/chat/completions ', 'https://api.openai.com/v1'],
  ['https://openrouter.ai/api/v1/chat/completions?x=1#y', 'https://openrouter.ai/api/v1'],
  ['https://api.anthropic.com/v1/messages', 'https://api.anthropic.com/v1'],
  ['https://me:secret@ai.example/v1/models', 'https://ai.example/v1'],
  ['localhost:1234/v1', 'http://localhost:1234/v1'],
  ['localhost:11434', 'http://localhost:11434/v1'],
  ['http://localhost:11434/api/chat', 'http://localhost:11434/v1'],
  ['127.0.0.1:8080', 'http://127.0.0.1:8080/v1'],
  ['192.168.1.20:8000/v1/chat/completions', 'http://192.168.1.20:8000/v1'],
  ['nas:8000', 'http://nas:8000/v1'],
  ['box.local/ai', 'http://box.local/ai'],
  ['[::1]:8000/v1', 'http://[::1]:8000/v1'],
  ['https://gateway.example/openai/', 'https://gateway.example/openai'],
  ['ai.example:8443', 'https://ai.example:8443/v1'],
])('%s is the address %s', (entered, address) => {
  expect(addressFrom(entered)).toBe(address)
})

test.each([
  '',
  '  ',
  'my own model',
  'ftp://ai.example',
  'javascript://x',
  'https://',
  'http:// x',
  'file:///etc',
])('%j is no address', (entered) => {
  expect(addressFrom(entered)).toBeNull()
})

test('an address that was completed stays as it is', () => {
  for (const entered of ['localhost:1234', 'https://ai.example/llm', 'api.groq.com/openai/v1']) {
    const address = addressFrom(entered)!
    expect(addressFrom(address)).toBe(address)
  }
})

test('the host is what a person is told', () => {
  expect(hostOf('http://127.0.0.1:9/v1')).toBe('127.0.0.1:9')
  expect(hostOf('not an address')).toBe('not an address')
})

test('the slashes at the end of an address are taken away, and half a million of them elsewhere take no time', () => {
  expect(withoutSlashes('https://ai.example/v1//')).toBe('https://ai.example/v1')
  expect(withoutSlashes('//')).toBe('')
  const address = `https://ai.example${'/'.repeat(500_000)}x`
  expect(withoutSlashes(address)).toBe(address)
  expect(addressFrom(address)).toBe(address)
})
