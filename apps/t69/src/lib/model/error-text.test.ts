import { type ErrorBody, type ErrorCode, errorCodes, refusalReasonSchema, SyncError } from '@t69/protocol'
import { afterEach, expect, test, vi } from 'vitest'
import { z } from 'zod'

import { errorText } from './error-text.ts'
import { refusalText } from './refusal-text.ts'

afterEach(() => vi.unstubAllGlobals())

/** What only the app's own words leave out. */
const english = 'the words of the server'

const isCode = (code: string): code is ErrorCode => code in errorCodes
const refusals: readonly ErrorBody[] = [
  ...Object.keys(errorCodes)
    .filter(isCode)
    .map((code) => ({ code, message: english })),
  ...refusalReasonSchema.options.map((reason) => ({ code: 'forbidden', message: english, reason }) as const),
]

test.each(refusals)('a refusal is told in the words of the app: $code, $reason', (body) => {
  const text = refusalText(SyncError.from(body))
  expect(text).toMatch(/^[A-Z].+\.$/)
  expect(text).not.toContain(english)
})

test('no two reasons for a refusal are told in the same words, but where a space has lost its place', () => {
  const told = refusals.filter(({ reason }) => reason !== 'id_taken')
  expect(new Set(told.map((body) => refusalText(SyncError.from(body)))).size).toBe(told.length)
})

test('the last owner of spaces is told which they are', () => {
  vi.stubGlobal('document', { documentElement: { lang: 'en' } })
  const error = new SyncError('forbidden', english, { reason: 'last_owner', names: ['Home', 'Work'] })
  expect(refusalText(error)).toContain('the last owner of “Home” and “Work”')
})

test('a screen without the words of dialogs goes by the code', () => {
  expect(errorText(new SyncError('forbidden', english, { reason: 'last_admin' }))).toBe(
    'The server does not allow that.',
  )
})

test('where a refusal means something else, the words for its reason come first, then those for its code', () => {
  const error = new SyncError('forbidden', english, { reason: 'too_late' })
  expect(errorText(error, { too_late: 'Now', forbidden: 'Never' })).toBe('Now')
  expect(errorText(error, { forbidden: 'Never' })).toMatch(/^That took too long/)
  expect(errorText(new SyncError('not_found', english), { not_found: 'Gone' })).toBe('Gone')
})

test.each([
  [
    'an error of the protocol',
    new SyncError('rate_limited', 'x'),
    'Too many attempts. Wait a moment, then try again.',
  ],
  [
    'a field that was filled in wrongly',
    new SyncError('invalid_request', 'email: Invalid', { at: 'email' }),
    'Enter a valid e-mail address.',
  ],
  ['a bug', new Error('The page has no #app'), 'The page has no #app'],
  ['one that says nothing', new Error(''), 'Something went wrong.'],
  ['anything else that was thrown', 'a text', 'Something went wrong.'],
  ['an error of a schema, whose message is JSON', z.string().safeParse(1).error, 'Something went wrong.'],
  ['JSON', new Error('{"error":1}'), 'Something went wrong.'],
  ['a page from a proxy', new Error(' <html><title>502</title>'), 'Something went wrong.'],
  [
    'a chunk that is gone, in Chromium',
    new TypeError('Failed to fetch dynamically imported module: http://localhost/assets/ShareDialog-1.js'),
    'This part of t69 could not be loaded. Check the connection, or reload the page if there is a new version.',
  ],
  [
    'the same in Firefox',
    new TypeError('error loading dynamically imported module: http://localhost/assets/ShareDialog-1.js'),
    'This part of t69 could not be loaded. Check the connection, or reload the page if there is a new version.',
  ],
  [
    'the same in Safari',
    new TypeError('Importing a module script failed.'),
    'This part of t69 could not be loaded. Check the connection, or reload the page if there is a new version.',
  ],
  ['half a character', new Error('half \ud83d of it'), 'half \ufffd of it'],
])('an error is shown as a sentence: %s', (_what, error, text) => {
  expect(errorText(error)).toBe(text)
})
