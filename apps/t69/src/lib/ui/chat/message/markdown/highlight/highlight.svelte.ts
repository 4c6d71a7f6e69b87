import type { HighlightLine } from './highlight-messages.ts'
import { addCard, askFor, dropCard } from './highlighter.ts'
import { grammarOf } from './languages.ts'

/** The length of code that is coloured, in UTF-16 code units. */
const longest = 100_000

export interface Code {
  readonly text: string
  readonly language: string
  readonly isGrowing: boolean
}

/** The colours of one card, which follow its code as it grows. To be called as a component begins. */
export function createHighlight(code: () => Code) {
  let coloured = $state.raw<readonly HighlightLine[]>([])
  /** The code that `coloured` was made from: all of it, or its complete lines. */
  let source = $state.raw('')
  let hasFailed = $state(false)
  /** What was asked for and is not answered yet. */
  let asked = $state.raw<string | null>(null)
  let card: number | undefined

  const isShown = $derived(source !== '' && code().text.startsWith(source))

  $effect(() => {
    const { text, language, isGrowing } = code()
    const grammar = grammarOf(language)
    const wanted = isGrowing ? text.slice(0, text.lastIndexOf('\n') + 1) : text
    if (grammar === undefined || hasFailed || asked !== null || wanted.length > longest) return
    if (wanted === source || wanted === '') return
    asked = wanted
    card ??= addCard((answer) => {
      if (answer.kind === 'begun') return
      if (answer.kind === 'failed') hasFailed = true
      else {
        coloured = [...coloured.slice(0, answer.from), ...answer.lines]
        source = asked ?? ''
      }
      asked = null
    })
    askFor({ card, grammar, code: wanted, isGrowing })
  })
  $effect(() => () => {
    if (card !== undefined) dropCard(card)
  })

  return {
    /** The coloured lines, from the first one on. */
    get lines(): readonly HighlightLine[] {
      return isShown ? coloured : []
    },
    /** The code after them. */
    get rest(): string {
      return isShown ? code().text.slice(source.length) : code().text
    },
  }
}
