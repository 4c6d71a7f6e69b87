import { createCssVariablesTheme, createHighlighterCore } from 'shiki/core'
import { createJavaScriptRegexEngine } from 'shiki/engine/javascript'
import type { GrammarState, HighlighterCore, LanguageInput, ThemedToken } from 'shiki/types'

import type { HighlightAnswer, HighlightLine, HighlightRequest } from './highlight-messages.ts'
import type { Grammar } from './languages.ts'

/**
 * Colours code, on a thread of its own: grammars are regular expressions, and some code keeps them busy for a long time.
 * Of code that grows, only the lines that are new are read, from the state that the ones before left the grammar in.
 */

const load: Record<Grammar, () => LanguageInput> = {
  bash: () => import('shiki/langs/bash.mjs'),
  c: () => import('shiki/langs/c.mjs'),
  cpp: () => import('shiki/langs/cpp.mjs'),
  csharp: () => import('shiki/langs/csharp.mjs'),
  css: () => import('shiki/langs/css.mjs'),
  dart: () => import('shiki/langs/dart.mjs'),
  diff: () => import('shiki/langs/diff.mjs'),
  docker: () => import('shiki/langs/docker.mjs'),
  elixir: () => import('shiki/langs/elixir.mjs'),
  go: () => import('shiki/langs/go.mjs'),
  graphql: () => import('shiki/langs/graphql.mjs'),
  haskell: () => import('shiki/langs/haskell.mjs'),
  html: () => import('shiki/langs/html.mjs'),
  ini: () => import('shiki/langs/ini.mjs'),
  java: () => import('shiki/langs/java.mjs'),
  javascript: () => import('shiki/langs/javascript.mjs'),
  json: () => import('shiki/langs/json.mjs'),
  jsx: () => import('shiki/langs/jsx.mjs'),
  julia: () => import('shiki/langs/julia.mjs'),
  kotlin: () => import('shiki/langs/kotlin.mjs'),
  latex: () => import('shiki/langs/latex.mjs'),
  lua: () => import('shiki/langs/lua.mjs'),
  make: () => import('shiki/langs/make.mjs'),
  markdown: () => import('shiki/langs/markdown.mjs'),
  mermaid: () => import('shiki/langs/mermaid.mjs'),
  nginx: () => import('shiki/langs/nginx.mjs'),
  nix: () => import('shiki/langs/nix.mjs'),
  perl: () => import('shiki/langs/perl.mjs'),
  php: () => import('shiki/langs/php.mjs'),
  powershell: () => import('shiki/langs/powershell.mjs'),
  python: () => import('shiki/langs/python.mjs'),
  r: () => import('shiki/langs/r.mjs'),
  ruby: () => import('shiki/langs/ruby.mjs'),
  rust: () => import('shiki/langs/rust.mjs'),
  scala: () => import('shiki/langs/scala.mjs'),
  scss: () => import('shiki/langs/scss.mjs'),
  sql: () => import('shiki/langs/sql.mjs'),
  svelte: () => import('shiki/langs/svelte.mjs'),
  swift: () => import('shiki/langs/swift.mjs'),
  toml: () => import('shiki/langs/toml.mjs'),
  tsx: () => import('shiki/langs/tsx.mjs'),
  typescript: () => import('shiki/langs/typescript.mjs'),
  vue: () => import('shiki/langs/vue.mjs'),
  xml: () => import('shiki/langs/xml.mjs'),
  yaml: () => import('shiki/langs/yaml.mjs'),
  zig: () => import('shiki/langs/zig.mjs'),
}

/** The length of a line that is coloured, in UTF-16 code units. */
const longestLine = 2_000

const prefix = '--code-'
const theme = createCssVariablesTheme({ name: 'kinds', variablePrefix: prefix, fontStyle: false })

/** The complete lines of each card that were coloured, and the state after them. */
const cards = new Map<
  number,
  { readonly done: string; readonly lines: number; readonly state: GrammarState }
>()

let highlighter: Promise<HighlighterCore> | undefined

addEventListener('message', ({ data }: MessageEvent<HighlightRequest>) => {
  if (data.code === null) cards.delete(data.card)
  else void answer(data.card, data.grammar, data.code, data.isGrowing)
})

async function answer(card: number, grammar: Grammar, code: string, isGrowing: boolean): Promise<void> {
  try {
    highlighter ??= createHighlighterCore({
      themes: [theme],
      engine: createJavaScriptRegexEngine({ forgiving: true }),
    })
    const ready = await highlighter
    if (!ready.getLoadedLanguages().includes(grammar)) await ready.loadLanguage(load[grammar]())
    reply({ card, kind: 'begun' })
    const before = cards.get(card)
    const known = before !== undefined && code.startsWith(before.done) ? before : undefined
    const from = known?.lines ?? 0
    const added = code.slice(known?.done.length ?? 0)
    const text = added.endsWith('\n') ? added.slice(0, -1) : added
    const tokens = ready.codeToTokensBase(text, {
      lang: grammar,
      theme: 'kinds',
      tokenizeMaxLineLength: longestLine,
      // A line that is given up in the middle of a comment would make one of all that follows. The page ends what takes too long.
      tokenizeTimeLimit: 0,
      ...(known === undefined ? {} : { grammarState: known.state }),
    })
    const state = ready.getLastGrammarState(tokens)
    if (state !== undefined && isGrowing) cards.set(card, { done: code, lines: from + tokens.length, state })
    reply({ card, kind: 'lines', from, lines: tokens.map(lineOf) })
  } catch {
    // A grammar did not come, or cannot read this. The code stays as it is.
    reply({ card, kind: 'failed' })
  }
}

function reply(message: HighlightAnswer): void {
  postMessage(message)
}

/** Neighbours of one kind are one piece: of two kinds that look the same, too. */
function lineOf(tokens: readonly ThemedToken[]): HighlightLine {
  const line: [string, string][] = []
  for (const { content, color = '' } of tokens) {
    const kind = kindOf(color)
    const last = line.at(-1)
    if (last !== undefined && last[1] === kind) last[0] += content
    else line.push([content, kind])
  }
  return line
}

/** From `var(--code-token-keyword)` to `keyword`. What is not told apart from other text has none. */
function kindOf(color: string): string {
  const kind = /--code-token-([a-z-]+)/.exec(color)?.[1] ?? ''
  return kind === 'punctuation' || kind === 'parameter' ? '' : kind
}
