import { describe, expect, it } from 'vitest'

import { languageOf } from './languages.ts'
import { mailTexts } from './mail-texts.ts'
import { newAddressMail, passwordLinkMail } from './mails.ts'

const about = { email: 'anna@example.org', publicUrl: 'https://t69.example', token: 'the-token' }

describe('the mails', () => {
  it.each(Object.keys(mailTexts))(
    'have the same things to say in %s, with the link on a line of its own',
    (tag) => {
      const language = languageOf(tag)
      expect(language).toBe(tag)
      for (const kind of ['password', 'newAddress', 'leftAddress'] as const) {
        const fieldsIn = (of: typeof language) => {
          const fields = mailTexts[of][kind].paragraphs.join().matchAll(/\{(\w+)\}/g)
          return new Set(Array.from(fields, ([, field]) => field))
        }
        expect(fieldsIn(language)).toEqual(fieldsIn('en'))
      }
      const { text, subject } = passwordLinkMail({ ...about, language })
      expect(text).toMatch(/^https:\/\/t69\.example\/#set-password=the-token$/m)
      expect(text).not.toMatch(/[{}]/)
      expect(subject).toContain('t69')
    },
  )

  it('have no lines and no links that somebody put into their name', () => {
    const name = 'Anna\n\nYour account is closed: https://evil.example/'
    const { text } = newAddressMail({ ...about, name, language: 'en' })
    expect(text.split('\n\n')).toHaveLength(4)
    expect(text).not.toContain('https://evil')
    const bare = newAddressMail({
      ...about,
      name: 'pay at evil.example or\u202e mail@evil.example',
      language: 'en',
    })
    expect(bare.text).not.toMatch(/evil\.|mail@|\u202e/)
  })
})

describe('the language of a mail', () => {
  it.each([
    ['de-AT,de;q=0.9,tr;q=0.8,en;q=0.7', 'tr'],
    ['ZH-Hant-TW', 'zh'],
    ['', 'en'],
    [undefined, 'en'],
    ['*;q=0.5, fr', 'en'],
    ['esperanto', 'en'],
  ])('is for %s: %s', (header, language) => {
    expect(languageOf(header)).toBe(language)
  })
})
