/** The languages of the app, as BCP 47 tags. `wuchale.config.ts` reads this too. */
export const locales = ['en', 'ar', 'es', 'hi', 'ja', 'ko', 'ru', 'tr', 'zh'] as const

export type Locale = (typeof locales)[number]

/** What a language calls itself. */
export function nameOfLocale(locale: Locale): string {
  return new Intl.DisplayNames([locale], { type: 'language' }).of(locale) ?? locale
}

export function directionOf(locale: Locale): 'ltr' | 'rtl' {
  return locale === 'ar' ? 'rtl' : 'ltr'
}
