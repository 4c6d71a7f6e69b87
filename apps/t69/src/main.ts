import './zod-without-eval.ts'
import { directionOf } from './lib/model/locales.ts'
import { writeNumbersIn } from './lib/model/numbers.ts'
import { chosenLocale, tagOf } from './lib/state/locale.ts'
import { loadFirstTexts } from './locales/texts.loader.js'

const locale = chosenLocale()
document.documentElement.lang = tagOf(locale, navigator.languages)
writeNumbersIn(document.documentElement.lang)
document.documentElement.dir = directionOf(locale)
// What the app says must be here before any of it is asked for. Without a network, a language that was never loaded is
// not here; English always is.
void loadFirstTexts(locale)
  .catch(async () => {
    document.documentElement.lang = 'en'
    document.documentElement.dir = directionOf('en')
    await loadFirstTexts('en')
  })
  // Where a module waits at its top, the bundler makes a file of its own for each one that is loaded later.
  .then(() => import('./start.ts'))
