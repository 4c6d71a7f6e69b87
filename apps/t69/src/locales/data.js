/** @typedef {('en'|'ar'|'es'|'hi'|'ja'|'ko'|'ru'|'tr'|'zh')} Locale */
/** @type {Locale[]} */
export const locales = ['en','ar','es','hi','ja','ko','ru','tr','zh']