import { locales, type Locale } from '../model/locales.ts'

/**
 * The language of the app: what somebody chose on this device, else the first language of the browser that the app
 * speaks, else English. Another choice takes effect when the page loads again. What the app says is written in English
 * in the code; `wuchale.config.ts` says what is translated, and src/locales has the translations.
 */

const key = 't69-locale'

/** Null if nobody has chosen one on this device. */
export function savedLocale(): Locale | null {
  try {
    return isLocale(localStorage.getItem(key))
  } catch {
    return null
  }
}

export function chosenLocale(): Locale {
  return savedLocale() ?? spokenLocale(navigator.languages)
}

/** The first of the browser's languages that the app speaks, else English. */
export function spokenLocale(languages: readonly string[]): Locale {
  return languages.map(languageIn).find((locale) => locale !== null) ?? 'en'
}

/**
 * The tag of the page: the browser's own where it is the same language, which says the country too, and with it how dates
 * and numbers are written.
 */
export function tagOf(locale: Locale, languages: readonly string[]): string {
  return languages.find((language) => languageIn(language) === locale && isTag(language)) ?? locale
}

/** Chromium on a system without a language says "en-US@posix", which is no tag, but says enough. */
function languageIn(text: string): Locale | null {
  return isLocale(text.toLowerCase().split(/[^a-z]/)[0] ?? '')
}

function isTag(text: string): boolean {
  try {
    return Intl.getCanonicalLocales(text).length === 1
  } catch {
    return false
  }
}

/** Null means the browser's language again. */
export function saveLocale(locale: Locale | null): void {
  try {
    if (locale === null) localStorage.removeItem(key)
    else localStorage.setItem(key, locale)
  } catch {
    // The browser refuses storage.
  }
}

function isLocale(text: string | null): Locale | null {
  return locales.find((locale) => locale === text) ?? null
}
