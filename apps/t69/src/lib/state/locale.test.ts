import { expect, test } from 'vitest'

import { spokenLocale, tagOf } from './locale.ts'

test.each([
  [['en-GB', 'de'], 'en'],
  [['de-AT', 'ja-JP', 'en'], 'ja'],
  [['zh-Hant-TW'], 'zh'],
  [['AR'], 'ar'],
  [['en-US@posix'], 'en'],
  [['ko_KR.UTF-8'], 'ko'],
  [['', 'x', 'eng'], 'en'],
  [[], 'en'],
] as const)('a browser that speaks %j is spoken to in %s', (languages, locale) => {
  expect(spokenLocale(languages)).toBe(locale)
})

test.each([
  ['en', ['de', 'en-GB'], 'en-GB'],
  ['ar', ['en-US'], 'ar'],
  ['en', ['en-US@posix'], 'en'],
  ['en', ['de'], 'en'],
] as const)('the page in %s for a browser of %j has the tag %s', (locale, languages, tag) => {
  expect(tagOf(locale, languages)).toBe(tag)
})
