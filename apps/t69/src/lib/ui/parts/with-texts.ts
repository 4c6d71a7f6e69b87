import { loadLaterTexts } from '../../../locales/texts.loader.js'

/**
 * What the first screen does not need: a module that is being loaded, given once what it says is there too. Rejects if one of
 * them cannot be loaded. `later-texts.ts` says whose texts these are.
 */
export async function withTexts<T>(module: Promise<T>): Promise<T> {
  const [loaded] = await Promise.all([module, loadLaterTexts()])
  return loaded
}
