import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

import { expect, test } from 'vitest'

import type { Protocol } from '../model/known-providers.ts'
import type { Ask } from './ask.ts'
import { listModels, streamAnswer } from './completion.ts'
import { Refusal, Unreachable } from './refusal.ts'

const encoder = new TextEncoder()

function ask(protocol: Protocol = 'openai', baseUrl = 'https://ai.example/v1/'): Ask {
  return {
    provider: { protocol, baseUrl, headers: { 'x-team': 'blue' } },
    model: 'm',
    key: 'secret',
    instructions: 'Be brief.',
    turns: [
      { role: 'user', text: 'One?' },
      { role: 'assistant', text: 'Two.' },
      { role: 'user', text: 'Three?' },
    ],
  }
}

function answer(pieces: readonly Uint8Array[]): typeof fetch {
  return () => {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const piece of pieces) controller.enqueue(piece)
        controller.close()
      },
    })
    return Promise.resolve(new Response(body))
  }
}

async function collect(fetchIt: typeof fetch, asked = ask()) {
  const said = { text: '', thinking: '', refusal: '', end: '' }
  for await (const piece of streamAnswer(asked, new AbortController().signal, fetchIt))
    if (piece.kind === 'end') said.end = piece.why
    else said[piece.kind] += piece.text
  return said
}

const textOf = async (body: string): Promise<string> => (await collect(answer([encoder.encode(body)]))).text
const data = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`
const chunk = (content: string) => data({ choices: [{ delta: { content } }] })

test('a reply reads the same wherever its bytes are split', async () => {
  for (const lineEnd of ['\n', '\r\n', '\r']) {
    const whole = encoder.encode(
      `: hello\n\n${chunk('<think>a</think>\nGrüß ')}data: {"choices":[]}\n\n${chunk('dich 👋')}data: [DONE]\n\n${chunk('no')}`.replaceAll(
        '\n',
        lineEnd,
      ),
    )
    for (let at = 1; at < whole.length; at++)
      expect(await collect(answer([whole.slice(0, at), whole.slice(at)]))).toMatchObject({
        text: 'Grüß dich 👋',
        thinking: 'a',
      })
  }
})

test.each([
  ['without a final newline', chunk('a') + chunk('b').trimEnd(), 'ab'],
  ['with an event of two lines', 'data: {"choices":[{"delta":\ndata: {"content":"ab"}}]}\n\n', 'ab'],
  ['that never says that it is done', chunk('ab'), 'ab'],
  ['that comes whole', JSON.stringify({ choices: [{ message: { content: 'ab' } }] }, null, 2), 'ab'],
  ['with thoughts that never end', chunk('<think>hm'), ''],
  ['with a tag in its middle', chunk('a <think>b</think>'), 'a <think>b</think>'],
  ['with a tag that is none', chunk('<thin') + chunk('ner>'), '<thinner>'],
])('a reply %s is read to its end', async (_how, body, text) => {
  expect(await textOf(body)).toBe(text)
})

test('thoughts come under three names', async () => {
  const said = await collect(
    answer([
      encoder.encode(
        [
          data({ choices: [{ delta: { reasoning: 'a' } }] }),
          data({ choices: [{ delta: { reasoning_content: 'b', reasoning: 'b' } }] }),
          data({ choices: [{ delta: { content: [{ type: 'thinking', thinking: [{ text: 'c' }] }] } }] }),
          chunk('<thi'),
          chunk('nk>d</thi'),
          chunk('nk>\n\nAnswer'),
        ].join(''),
      ),
    ]),
  )
  expect(said).toMatchObject({ thinking: 'abcd', text: 'Answer' })
})

test('a reply that breaks off inside of a character has what came before it', async () => {
  const whole = encoder.encode(data({ choices: [{ delta: { content: 'so far' } }] }))
  const emoji = encoder.encode('data: 👋')
  expect((await collect(answer([whole, emoji.slice(0, -1)]))).text).toBe('so far')
})

test('Anthropic and Google are spoken to in their own words', async () => {
  const sent: { url: string; headers: Headers; body: unknown }[] = []
  const record =
    (body: string): typeof fetch =>
    async (input, init) => {
      const request = new Request(input, init)
      sent.push({ url: request.url, headers: request.headers, body: await request.json() })
      return answer([encoder.encode(body)])('')
    }
  const claude = [
    `event: message_start\n${data({ type: 'message_start', message: { content: [] } })}`,
    data({ type: 'content_block_delta', delta: { type: 'thinking_delta', thinking: 'Hm.' } }),
    data({ type: 'content_block_delta', delta: { type: 'text_delta', text: 'Hello' } }),
    data({ type: 'message_delta', delta: { stop_reason: 'max_tokens' } }),
  ].join('')
  expect(await collect(record(claude), ask('anthropic', 'https://api.anthropic.com/v1'))).toMatchObject({
    text: 'Hello',
    thinking: 'Hm.',
    end: 'length',
  })
  const gemini = [
    data({ candidates: [{ content: { parts: [{ text: 'Hm.', thought: true }] } }] }),
    data({ candidates: [{ content: { parts: [{ text: 'Hello' }] }, finishReason: 'SAFETY' }] }),
  ].join('')
  expect(await collect(record(gemini), ask('google', 'https://google.example/v1beta'))).toMatchObject({
    text: 'Hello',
    thinking: 'Hm.',
    end: 'filter',
  })
  const [toClaude, toGemini] = sent
  expect(toClaude).toMatchObject({
    url: 'https://api.anthropic.com/v1/messages',
    body: {
      model: 'm',
      system: 'Be brief.',
      messages: [{ role: 'user' }, { role: 'assistant' }, { role: 'user' }],
    },
  })
  expect(toClaude?.headers.get('x-api-key')).toBe('secret')
  expect(toClaude?.headers.get('anthropic-dangerous-direct-browser-access')).toBe('true')
  expect(toGemini).toMatchObject({
    url: 'https://google.example/v1beta/models/m:streamGenerateContent?alt=sse',
    body: {
      systemInstruction: { parts: [{ text: 'Be brief.' }] },
      contents: [{ role: 'user' }, { role: 'model' }, { role: 'user' }],
    },
  })
  expect(toGemini?.headers.get('x-goog-api-key')).toBe('secret')
})

test('the key is sent in the header, to the completions path of the address, with no cookie and no referrer', async () => {
  let sent: { request: Request; init: RequestInit | undefined } | undefined
  await collect((input, init) => {
    sent = { request: new Request(input, init), init }
    return answer([encoder.encode(chunk('a'))])(input, init)
  })
  expect(sent?.request.url).toBe('https://ai.example/v1/chat/completions')
  expect(sent?.request.headers.get('authorization')).toBe('Bearer secret')
  expect(sent?.request.headers.get('x-team')).toBe('blue')
  expect(sent?.init).toMatchObject({ credentials: 'omit', referrerPolicy: 'no-referrer' })
  expect(await sent?.request.json()).toMatchObject({
    model: 'm',
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'One?' },
      { role: 'assistant', content: 'Two.' },
      { role: 'user', content: 'Three?' },
    ],
  })
})

test('an address that lacks /v1 is found', async () => {
  const urls: string[] = []
  const fetchIt: typeof fetch = (input) => {
    urls.push(new Request(input).url)
    if (!new Request(input).url.includes('/v1/')) return Promise.resolve(new Response('', { status: 404 }))
    return answer([encoder.encode(urls.length < 3 ? chunk('a') : '{"data":[{"id":"x"},{"id":"x"}]}')])('')
  }
  expect((await collect(fetchIt, ask('openai', 'https://ai.example/llm'))).text).toBe('a')
  expect(urls).toEqual([
    'https://ai.example/llm/chat/completions',
    'https://ai.example/llm/v1/chat/completions',
  ])
  const listed = await listModels(
    ask('openai', 'https://ai.example/llm'),
    new AbortController().signal,
    fetchIt,
  )
  expect(listed).toEqual({ baseUrl: 'https://ai.example/llm/v1', models: ['x'] })
})

const refused = (body: string, init: ResponseInit = { status: 401 }): typeof fetch => {
  return () => Promise.resolve(new Response(body, init))
}

test.each([
  ['OpenAI’s form', '{"error":{"message":"Incorrect API key.","code":"invalid_api_key"}}'],
  ['an error that is a text', '{"error":"Incorrect API key."}'],
  ['a message at the top', '{"message":"Incorrect API key.","status":401}'],
  ['a detail at the top', '{"detail":"Incorrect API key."}'],
  ['a list of details', '{"detail":[{"loc":["body"],"msg":"Incorrect API key."}]}'],
  ['Google’s list', '[{"error":{"code":400,"message":"Incorrect API key."}}]'],
  ['a list of errors', '{"success":false,"errors":[{"message":"Incorrect API key."}]}'],
  ['a status of its own', '{"base_resp":{"status_code":1004,"status_msg":"Incorrect API key."}}'],
  ['a plain text', 'Incorrect API key.'],
])('a refusal has the provider’s own words: %s', async (_form, body) => {
  await expect(collect(refused(body))).rejects.toMatchObject({ words: 'Incorrect API key.', status: 401 })
  // The same with status 200, as some gateways answer.
  await expect(collect(refused(body, {}))).rejects.toMatchObject({ words: 'Incorrect API key.' })
})

test.each([
  ['an error in a stream', data({ error: { message: 'Out of quota' } }), 'Out of quota'],
  ['an event of errors', `event: error\n${data({ error: { message: 'Overloaded' } })}`, 'Overloaded'],
  ['an event of errors in plain text', 'event: error\ndata: Overloaded\n\n', 'Overloaded'],
  [
    'Anthropic’s',
    data({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }),
    'Overloaded',
  ],
  ['vLLM’s', data({ object: 'error', message: 'Too long', code: 400 }), 'Too long'],
  ['a page', '<!doctype html><html><title>Sign in\n</title>', 'Sign in'],
  ['a page without a title', '<html><body>Hi', '<html><body>Hi'],
])('a refusal with status 200 is one: %s', async (_form, body, words) => {
  await expect(collect(answer([encoder.encode(body)]))).rejects.toMatchObject({ name: 'Refusal', words })
})

test.each([
  ['a proxy’s page', '<!doctype html><title>502 Bad Gateway</title>'],
  ['JSON without a message', '{"error":{"code":7}}'],
  ['nothing', ''],
])('a refusal that says nothing to a person has its status alone: %s', async (_what, body) => {
  await expect(collect(refused(body, { status: 502 }))).rejects.toMatchObject({ words: '', status: 502 })
})

test('a long refusal is cut where a character ends, and is well-formed', async () => {
  const words = 'x'.repeat(299)
  await expect(collect(refused(`${words}😂 and more`))).rejects.toMatchObject({ words })
  await expect(collect(refused('{"error":{"message":"half \\ud83d of it"}}'))).rejects.toMatchObject({
    words: 'half \ufffd of it',
  })
})

test('a refusal says when the provider takes requests again', async () => {
  const slow = (after: string) => refused('Slow down', { status: 429, headers: { 'retry-after': after } })
  const before = Date.now()
  const error: unknown = await collect(slow('20')).catch((it: unknown) => it)
  if (!(error instanceof Refusal)) throw new Error('no refusal')
  expect(error.retryAt).toBeGreaterThanOrEqual(before + 20_000)
  expect(error.retryAt).toBeLessThanOrEqual(Date.now() + 20_000)
  await expect(collect(slow('Wed, 21 Oct 2026 07:28:00 GMT'))).rejects.toMatchObject({
    retryAt: Date.parse('2026-10-21T07:28:00Z'),
  })
  await expect(collect(slow('soon'))).rejects.toMatchObject({ retryAt: undefined })
})

test('no way to a provider, and an answer that breaks off, are told apart from refusals', async () => {
  await expect(collect(() => Promise.reject(new TypeError('Failed to fetch')))).rejects.toThrow(Unreachable)
  const breaks: typeof fetch = () =>
    Promise.resolve(
      new Response(
        new ReadableStream({
          start(controller) {
            controller.enqueue(encoder.encode(chunk('so far')))
            controller.error(new TypeError('network error'))
          },
        }),
      ),
    )
  await expect(collect(breaks)).rejects.toThrow(Unreachable)
})

test.each(['openai', 'anthropic', 'google'] satisfies Protocol[])(
  'a key for %s goes to the server it is for, and not where that sends the browser',
  async (protocol) => {
    const asked: unknown[] = []
    await using elsewhere = createServer((request, response) => {
      asked.push(request.headers)
      response.end('{}')
    }).listen(0, '127.0.0.1')
    await once(elsewhere, 'listening')
    const location = `http://localhost:${(elsewhere.address() as AddressInfo).port}/`
    await using server = createServer((_request, response) => {
      response.writeHead(307, { location }).end()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`

    await expect(collect(fetch, ask(protocol, address))).rejects.toThrow(Unreachable)
    await expect(listModels(ask(protocol, address), new AbortController().signal)).rejects.toThrow(
      Unreachable,
    )
    expect(asked).toEqual([])
  },
)

test('an empty answer says nothing', async () => {
  for (const body of ['', '\n', 'data: [DONE]\n\n', ': ping\n\n'])
    expect(await collect(answer([encoder.encode(body)]))).toEqual({
      text: '',
      thinking: '',
      refusal: '',
      end: '',
    })
})

test('an answer that is no stream of events and never ends is read as far as an answer may go', async () => {
  let sent = 0
  const endless: typeof fetch = () =>
    Promise.resolve(
      new Response(
        new ReadableStream({
          pull(controller) {
            sent += 1
            if (sent > 100) controller.error(new Error('read on and on'))
            else controller.enqueue(encoder.encode('x'.repeat(100_000)))
          },
        }),
      ),
    )
  await expect(collect(endless)).rejects.toMatchObject({ words: 'x'.repeat(300) })
})

test('a page of titles that are not closed is read once', async () => {
  const page = '<title '.repeat(500_000)
  await expect(collect(answer([encoder.encode(page)]))).rejects.toMatchObject({ words: page.slice(0, 80) })
})

test('the list of models is read in each provider’s form', async () => {
  const list = (protocol: Protocol, body: unknown) =>
    listModels(ask(protocol), new AbortController().signal, answer([encoder.encode(JSON.stringify(body))]))
  expect((await list('openai', { data: [{ id: 'a' }, { id: 'b' }] })).models).toEqual(['a', 'b'])
  expect((await list('openai', [{ id: 'a' }])).models).toEqual(['a'])
  expect((await list('anthropic', { data: [{ id: 'a', display_name: 'A' }] })).models).toEqual(['a'])
  const gemini = [
    { name: 'models/a', supportedGenerationMethods: ['generateContent'] },
    { name: 'models/b', supportedGenerationMethods: ['embedContent'] },
  ]
  expect((await list('google', { models: gemini })).models).toEqual(['a'])
  await expect(list('openai', { detail: 'Not here' })).rejects.toThrow('Not here')
})
