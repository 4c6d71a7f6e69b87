import type { Locale } from '../lib/model/locales.ts'

/** Loads what the first screen and the chats say. Rejects if the language cannot be loaded. */
export function loadFirstTexts(locale: Locale): Promise<void>
/** Loads the rest, in the language of the first texts. Rejects if it cannot be loaded. */
export function loadLaterTexts(): Promise<void>
