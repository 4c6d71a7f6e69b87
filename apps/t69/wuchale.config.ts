import { adapter as svelte } from '@wuchale/svelte'
import { defaultHeuristic, defineConfig, type Message } from 'wuchale'
import { adapter as vanilla } from 'wuchale/adapter-vanilla'

import { catalogOf } from './later-texts.ts'
import { locales } from './src/lib/model/locales.ts'

/** What begins with a capital like a sentence and is said to nobody: keys, names of errors, and what models are told. */
const unsaid =
  /^(?:Escape|Enter|Tab|Home|End|Delete|Backspace|Backslash|Delete Shift\+F10|(?:[A-Z][a-z]+){2,}|Refusal|Importing a module script failed\.|Control\+.*|Bearer #|#+ · t69|Question:\n[^]*|Name the chat that you are given,.*)$/

function heuristic(message: Message): ReturnType<typeof defaultHeuristic> {
  const { scope, element, file, funcName } = message.details
  if (element === 'path' || element === 'svg') return false
  if (message.msgStr.every((text) => unsaid.test(text))) return false
  // What is outside of functions is made once, before a language is loaded.
  if (file.endsWith('.ts') && (funcName === null || funcName === undefined)) return false
  // The name of the app, and quoted names, begin sentences that begin with no capital.
  if (scope === 'script' && message.msgStr.every((text) => /^(?:t69 |“[^”]*” \p{L})/u.test(text)))
    return 'message'
  return defaultHeuristic(message)
}

// Another language takes a reload, so nothing that is said has to be reactive.
const plain = { wrapInit: (code: string) => code, wrapUse: (code: string) => code }
const components = svelte({
  loader: 'custom',
  files: {
    include: ['src/**/*.svelte', 'src/**/*.ts'],
    ignore: ['**/*.test.ts', '**/*.d.ts', 'src/lib/testing/**'],
  },
  heuristic,
  granularLoad: true,
  generateLoadID: catalogOf,
  runtime: {
    initReactive: ({ funcName }) => (funcName === undefined ? false : null),
    useReactive: false,
    plain,
    reactive: plain,
  },
})
const modules = vanilla({ loader: 'custom', heuristic })

export default defineConfig({
  locales: [...locales],
  localesDir: './src/locales',
  adapters: {
    // One for all files: they share their catalogs.
    texts: {
      ...components,
      transform: async (file) =>
        /(?<!\.svelte)\.ts$/.test(file.filename) ? modules.transform(file) : components.transform(file),
    },
  },
})
