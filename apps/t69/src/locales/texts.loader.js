import toRuntime from 'wuchale/runtime'
import { loadCatalog } from './.wuchale/texts.proxy.js'

// What the app says, in one language at a time. The build calls the catalogs by these names: see `catalogOf` in
// later-texts.ts. They are filled once, before anything of them is asked for; another language takes a reload.
const catalogs = { first: { c: [] }, later: { c: [] } }
const runtimes = { first: toRuntime(catalogs.first), later: toRuntime(catalogs.later) }
let language = 'en'

// For the code that the build writes.
export const getRuntime = (id) => runtimes[id]
export const getRuntimeRx = getRuntime

export async function loadFirstTexts(locale) {
  Object.assign(catalogs.first, await loadCatalog('first', locale))
  language = locale
}

export async function loadLaterTexts() {
  Object.assign(catalogs.later, await loadCatalog('later', language))
}
