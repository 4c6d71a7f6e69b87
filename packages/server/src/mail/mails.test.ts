import { describe, expect, it } from 'vitest'

import { languageOf } from './languages.ts'
import { mailTexts } from './mail-texts.ts'
import { changeMail, newAddressMail, passwordLinkMail } from './mails.ts'

const about = { email: 'anna@example.org', publicUrl: 'https://t69.example', token: 'the-token' }

describe('the mails', () => {
  it.each(Object.keys(mailTexts))(
    'have the same things to say in %s, with the link on a line of its own',
    (tag) => {
      const language = languageOf(tag)
      expect(language).toBe(tag)
      const fieldsIn = (text: string) =>
        new Set(Array.from(text.matchAll(/\{(\w+)\}/g), ([, field]) => field))
      const paragraphsOf = (of: typeof language) =>
        Object.values(mailTexts[of]).map((said) => (typeof said === 'string' ? said : said.paragraphs.join()))
      expect(paragraphsOf(language).map(fieldsIn)).toEqual(paragraphsOf('en').map(fieldsIn))
      const { text, subject } = passwordLinkMail({ ...about, language })
      expect(text).toMatch(/^https:\/\/t69\.example\/#set-password=the-token$/m)
      expect(text).not.toMatch(/[{}]/)
      expect(subject).toContain('t69')
    },
  )

  it('about a change of an account say when it was, from where, and what to do if it was not theirs', () => {
    const circumstances = {
      at: Date.UTC(2026, 10, 30, 9, 5),
      device: ['Firefox', 'Linux'],
      address: '192.0.2.7',
    }
    const { to, subject, text } = changeMail('passkeyAdded', { ...about, ...circumstances, language: 'en' })
    expect(to).toBe(about.email)
    expect(subject).toBe('A passkey was added to your t69 account')
    expect(text.split('\n\n')).toEqual([
      `A passkey was added to your account ${about.email} at ${about.publicUrl}: whoever has it can sign in.`,
      expect.stringMatching(
        /^When: November 30, 2026 at 9:05.AM \(UTC\)\nFrom: Firefox, Linux, 192\.0\.2\.7$/,
      ),
      expect.stringContaining('set another password at once'),
    ])
    const unnamed = changeMail('leftAddress', { ...about, ...circumstances, device: [], language: 'es' })
    expect(unnamed.text).toContain('Desde: un dispositivo desconocido, 192.0.2.7')
  })

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
