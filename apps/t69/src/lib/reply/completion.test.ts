import { expect, test } from 'vitest'

import { streamCompletion } from './completion.ts'

const request = { baseUrl: 'https://ai.example/v1/', model: 'm', apiKey: 'secret', messages: [] }

const encoder = new TextEncoder()

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

async function collect(fetchIt: typeof fetch): Promise<string> {
  let text = ''
  for await (const piece of streamCompletion(request, new AbortController().signal, fetchIt)) text += piece
  return text
}

const chunk = (content: string) => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`

test('a reply reads the same wherever its bytes are split', async () => {
  const whole = encoder.encode(
    `: hello\n\n${chunk('Grüß ')}data: {"choices":[]}\n\n${chunk('dich 👋')}data: [DONE]\n\n${chunk('no')}`,
  )
  for (let at = 1; at < whole.length; at++) {
    expect(await collect(answer([whole.slice(0, at), whole.slice(at)]))).toBe('Grüß dich 👋')
  }
})

test('a reply without a final newline is read to its end', async () => {
  expect(await collect(answer([encoder.encode(chunk('a') + chunk('b').trimEnd())]))).toBe('ab')
})

test('a refusal has the text that the provider gave', async () => {
  const refuse = () => Promise.resolve(new Response('no such model', { status: 404 }))
  await expect(collect(refuse)).rejects.toThrow('The provider answered 404: no such model')
})

test.each([
  ['OpenAI’s form', '{"error":{"message":"Incorrect API key provided.","code":"invalid_api_key"}}'],
  ['an error that is a text', '{"error":"Incorrect API key provided."}'],
  ['a message at the top', '{"message":"Incorrect API key provided.","status":401}'],
  ['a detail at the top', '{"detail":"Incorrect API key provided."}'],
])('a refusal in JSON is shown as the sentence in it: %s', async (_form, body) => {
  const refuse = () => Promise.resolve(new Response(body, { status: 401 }))
  await expect(collect(refuse)).rejects.toThrow(/^The provider answered 401: Incorrect API key provided\.$/)
})

test.each([
  ['a proxy’s page', '<!doctype html><title>502 Bad Gateway</title>'],
  ['JSON without a message', '{"error":{"code":7}}'],
  ['nothing', ''],
])('a refusal that says nothing to a person is shown as its status alone: %s', async (_what, body) => {
  const refuse = () => Promise.resolve(new Response(body, { status: 502 }))
  await expect(collect(refuse)).rejects.toThrow(/^The provider answered 502$/)
})

test('a long refusal is cut where a character ends, and is well-formed', async () => {
  const refuse = (body: string) => () => Promise.resolve(new Response(body, { status: 500 }))
  const start = 'The provider answered 500: '
  await expect(collect(refuse(`${'x'.repeat(299)}😂 and more`))).rejects.toThrow(
    new Error(start + 'x'.repeat(299)),
  )
  await expect(collect(refuse('{"error":{"message":"half \\ud83d of it"}}'))).rejects.toThrow(
    new Error(`${start}half \ufffd of it`),
  )
})

test('the key is sent in the header, to the completions path of the address', async () => {
  let seen: { url: string; authorization: string | null } | undefined
  await collect((input, init) => {
    const sent = new Request(input, init)
    seen = { url: sent.url, authorization: sent.headers.get('authorization') }
    return answer([encoder.encode('data: [DONE]\n\n')])(input, init)
  })
  expect(seen).toEqual({ url: 'https://ai.example/v1/chat/completions', authorization: 'Bearer secret' })
})

test('the address of a provider is sent no cookie', async () => {
  let asked: RequestInit | undefined
  await collect((_input, init) => {
    asked = init
    return answer([encoder.encode(chunk('a'))])('')
  })
  expect(asked?.credentials).toBe('omit')
})
