import type { Piece, ProviderApi } from './ask.ts'
import { at, listAt, textAt } from './json.ts'

/** The most that a model may say at once, in tokens: Anthropic asks for a number, and every model of it takes this one. */
const maxTokens = 8_192

/** Anthropic's messages. */
export const anthropicApi: ProviderApi = {
  request({ model, instructions, turns }, baseUrl) {
    const messages = turns.map(({ role, text }) => ({ role, content: text }))
    const system = instructions === '' ? {} : { system: instructions }
    return {
      url: `${baseUrl}/messages`,
      headers: {},
      body: { model, max_tokens: maxTokens, ...system, messages, stream: true },
    }
  },
  piecesOf(answer) {
    const part = at(answer, 'delta') ?? at(answer, 'content_block')
    const said = [part, ...listAt(answer, 'content')].flatMap((it): Piece[] => [
      { kind: 'thinking', text: textAt(it, 'thinking') },
      { kind: 'text', text: textAt(it, 'text') },
    ])
    const why = endings.get(textAt(answer, 'delta', 'stop_reason') || textAt(answer, 'stop_reason'))
    return [
      ...said.filter((piece) => piece.kind !== 'end' && piece.text !== ''),
      ...(why === undefined ? [] : [{ kind: 'end', why } as const]),
    ]
  },
  keyHeaders: (key) => ({
    'x-api-key': key,
    'anthropic-version': '2023-06-01',
    // Anthropic answers a page only if it says that it knows where its key is.
    'anthropic-dangerous-direct-browser-access': 'true',
  }),
  modelsIn: (list) => listAt(list, 'data').flatMap((model) => textAt(model, 'id') || []),
}

const endings = new Map<string, 'done' | 'length' | 'filter'>([
  ['end_turn', 'done'],
  ['stop_sequence', 'done'],
  ['max_tokens', 'length'],
  ['model_context_window_exceeded', 'length'],
  ['refusal', 'filter'],
])
