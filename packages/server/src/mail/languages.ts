/** The languages of the app, in which mails are too. */
const languages = ['en', 'ar', 'es', 'hi', 'ja', 'ko', 'ru', 'tr', 'zh'] as const

export type Language = (typeof languages)[number]

/**
 * The language that a browser prefers among those that there are, by its `Accept-Language`; English for none. Browsers name
 * languages in the order in which they prefer them.
 */
export function languageOf(acceptLanguage: string | undefined): Language {
  for (const range of acceptLanguage?.slice(0, 200).split(',') ?? []) {
    const wanted = /^\s*([a-z]{2})\b/i.exec(range)?.[1]?.toLowerCase()
    const found = languages.find((language) => language === wanted)
    if (found !== undefined) return found
  }
  return 'en'
}
