import type { Piece, ProviderApi } from './ask.ts'
import { at, listAt, textAt } from './json.ts'

/** Google's Gemini API. */
export const googleApi: ProviderApi = {
  request({ model, instructions, turns }, baseUrl) {
    const contents = turns.map(({ role, text }) => ({
      role: role === 'user' ? 'user' : 'model',
      parts: [{ text }],
    }))
    const system = instructions === '' ? {} : { systemInstruction: { parts: [{ text: instructions }] } }
    const id = encodeURIComponent(model.replace(/^models\//, ''))
    return {
      url: `${baseUrl}/models/${id}:streamGenerateContent?alt=sse`,
      headers: {},
      body: { contents, ...system },
    }
  },
  piecesOf(answer) {
    const candidate = at(answer, 'candidates', 0)
    const said = listAt(candidate, 'content', 'parts').flatMap((part): Piece[] => {
      const text = textAt(part, 'text')
      return text === '' ? [] : [{ kind: at(part, 'thought') === true ? 'thinking' : 'text', text }]
    })
    const isBlocked = textAt(answer, 'promptFeedback', 'blockReason') !== ''
    const why = isBlocked ? 'filter' : endings.get(textAt(candidate, 'finishReason'))
    return [...said, ...(why === undefined ? [] : [{ kind: 'end', why } as const])]
  },
  keyHeaders: (key) => ({ 'x-goog-api-key': key }),
  modelsIn: (list) =>
    listAt(list, 'models').flatMap((model) => {
      const answers = listAt(model, 'supportedGenerationMethods').includes('generateContent')
      return answers ? textAt(model, 'name').replace(/^models\//, '') || [] : []
    }),
}

const endings = new Map<string, 'done' | 'length' | 'filter'>([
  ['STOP', 'done'],
  ['MAX_TOKENS', 'length'],
  ...['SAFETY', 'RECITATION', 'BLOCKLIST', 'PROHIBITED_CONTENT', 'SPII'].map((it) => [it, 'filter'] as const),
])
