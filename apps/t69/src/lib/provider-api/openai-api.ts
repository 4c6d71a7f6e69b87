import type { Piece, ProviderApi } from './ask.ts'
import { at, listAt, textAt } from './json.ts'

/** OpenAI's chat completions, which most providers and all local servers understand. */
export const openAiApi: ProviderApi = {
  request({ model, instructions, turns }, baseUrl) {
    const system = instructions === '' ? [] : [{ role: 'system', content: instructions }]
    const messages = [...system, ...turns.map(({ role, text }) => ({ role, content: text }))]
    return { url: `${baseUrl}/chat/completions`, headers: {}, body: { model, messages, stream: true } }
  },
  piecesOf(answer) {
    const choice = at(answer, 'choices', 0)
    const said = at(choice, 'delta') ?? at(choice, 'message')
    const pieces = [
      // One server sends the same thoughts under both names.
      { kind: 'thinking', text: textAt(said, 'reasoning_content') || textAt(said, 'reasoning') },
      ...contentPieces(at(said, 'content')),
      { kind: 'text', text: textAt(choice, 'text') },
      { kind: 'refusal', text: textAt(said, 'refusal') },
    ] satisfies Piece[]
    const why = endings.get(textAt(choice, 'finish_reason'))
    return [
      ...pieces.filter(({ text }) => text !== ''),
      ...(why === undefined ? [] : [{ kind: 'end', why } as const]),
    ]
  },
  keyHeaders: (key) => ({ authorization: `Bearer ${key}` }),
  modelsIn(list) {
    const models = [...listAt(list, 'data'), ...listAt(list, 'models'), ...listAt(list)]
    return models.map((model) => textAt(model, 'id') || textAt(model, 'name')).filter((id) => id !== '')
  },
}

const endings = new Map<string, 'done' | 'length' | 'filter'>([
  ['stop', 'done'],
  ['length', 'length'],
  ['content_filter', 'filter'],
])

/** A text, or a list of parts, as Mistral's models that think send them. */
function contentPieces(content: unknown): { readonly kind: 'text' | 'thinking'; readonly text: string }[] {
  if (typeof content === 'string') return [{ kind: 'text', text: content }]
  return listAt(content).flatMap((part) => [
    ...listAt(part, 'thinking').map((it) => ({ kind: 'thinking' as const, text: textAt(it, 'text') })),
    { kind: 'text' as const, text: textAt(part, 'text') },
  ])
}
