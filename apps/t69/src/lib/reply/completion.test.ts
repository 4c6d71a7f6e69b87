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

test('a reply is the same wherever its bytes are cut', async () => {
  const whole = encoder.encode(
    `: hello\n\n${chunk('Grüß ')}data: {"choices":[]}\n\n${chunk('dich 👋')}data: [DONE]\n\n${chunk('no')}`,
  )
  for (let at = 1; at < whole.length; at++) {
    expect(await collect(answer([whole.slice(0, at), whole.slice(at)]))).toBe('Grüß dich 👋')
  }
})

test('a reply that ends without a last newline is whole', async () => {
  expect(await collect(answer([encoder.encode(chunk('a') + chunk('b').trimEnd())]))).toBe('ab')
})

test("a refusal carries the provider's own words", async () => {
  const refuse = () => Promise.resolve(new Response('no such model', { status: 404 }))
  await expect(collect(refuse)).rejects.toThrow('The provider answered 404: no such model')
})

test('the key goes into the header and the address gets its path', async () => {
  let seen: { url: string; authorization: string | null } | undefined
  await collect((input, init) => {
    const sent = new Request(input, init)
    seen = { url: sent.url, authorization: sent.headers.get('authorization') }
    return answer([encoder.encode('data: [DONE]\n\n')])(input, init)
  })
  expect(seen).toEqual({ url: 'https://ai.example/v1/chat/completions', authorization: 'Bearer secret' })
})

test('no cookie goes to the address that a space names', async () => {
  let asked: RequestInit | undefined
  await collect((_input, init) => {
    asked = init
    return answer([encoder.encode(chunk('a'))])('')
  })
  expect(asked?.credentials).toBe('omit')
})
