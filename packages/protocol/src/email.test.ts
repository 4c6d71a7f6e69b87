import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'

import { emailPattern, normalEmail } from './email.ts'
import { loginBodySchema } from './http.ts'

function parsed(email: string): string | undefined {
  return loginBodySchema.safeParse({ email, password: 'x' }).data?.email
}

test.each([
  ['letter case', 'Anna@Example.ORG', 'anna@example.org'],
  ['spaces around it, of any kind', '\u00a0anna@example.org\u3000\n', 'anna@example.org'],
  ['letters of full width', 'ａｎｎａ＠ｅｘａｍｐｌｅ．ｏｒｇ', 'anna@example.org'],
  ['é as two code points', 'jose\u0301@example.org', 'jos\u00e9@example.org'],
  ['letter case of other scripts', 'ИВАН@Example.org', 'иван@example.org'],
  ['a domain in Unicode', 'anna@BÜCHER.example', 'anna@xn--bcher-kva.example'],
  ['a domain whose ü is two code points', 'anna@bu\u0308cher.example', 'anna@xn--bcher-kva.example'],
  ['a domain that is in its ASCII form already', 'Anna@XN--BCHER-KVA.example', 'anna@xn--bcher-kva.example'],
  ['a top-level domain in Unicode', 'иван@почта.рф', 'иван@xn--80a1acny.xn--p1ai'],
  ['the full stop of Japanese', 'anna@例え。jp', 'anna@xn--r8jz45g.jp'],
])('an address has one form, whatever its %s', (_what, typed, stored) => {
  expect(parsed(typed)).toBe(stored)
})

test.each([
  ['no domain', 'anna@'],
  ['no name', '@example.org'],
  ['no dot in the domain', 'anna@localhost'],
  ['a path after the domain', 'anna@example.org/x'],
  ['a port', 'anna@example.org:80'],
  ['an address of a machine', 'anna@127.0.0.1'],
  ['escapes in the domain', 'anna@ex%61mple.org'],
  ['a space inside', 'an na@example.org'],
  ['two @', 'anna@ben@example.org'],
  ['a dot at the start', '.anna@example.org'],
  ['two dots in a row', 'an..na@example.org'],
  ['a letter that cannot be seen', 'an\u200bna@example.org'],
  ['a variation selector', 'anna\ufe0f@example.org'],
  ['a Cyrillic а among Latin letters', '\u0430nna@example.org'],
  ['markup', '<b>@example.org'],
  ['a domain that no one can have', 'anna@xn--\u00fc.example'],
  ['more than an address can be long', `${'a'.repeat(250)}@example.org`],
  ['very much text', 'a\u0301'.repeat(30_000)],
])('what is not an address is refused: %s', (_what, typed) => {
  expect(parsed(typed)).toBeUndefined()
})

test('every address that was accepted when addresses were ASCII keeps its form', () => {
  fc.assert(
    fc.property(fc.stringMatching(z.regexes.email), (address) => {
      const stored = address.toLowerCase()
      expect(normalEmail(stored)).toBe(stored)
      expect(emailPattern.test(stored)).toBe(true)
    }),
  )
})

test('the normal form of an address is its own', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', minLength: 1 }),
      fc.string({ unit: 'grapheme' }),
      (name, domain) => {
        const once = parsed(`${name}@${domain}.example`)
        expect(once === undefined || parsed(once) === once).toBe(true)
      },
    ),
  )
})
