import { SyncError } from '@t69/protocol'
import { expect, test } from 'vitest'
import { z } from 'zod'

import { errorText } from './error-text.ts'

test.each([
  [
    'an error of the protocol',
    new SyncError('rate_limited', 'x'),
    'Too many attempts. Wait a moment, then try again.',
  ],
  [
    'one that the server explains',
    new SyncError('invalid_request', 'name: is too long'),
    'name: is too long',
  ],
  ['a bug', new Error('The page has no #app'), 'The page has no #app'],
  ['one that says nothing', new Error(''), 'Something went wrong.'],
  ['anything else that was thrown', 'a text', 'Something went wrong.'],
  ['an error of a schema, whose message is JSON', z.string().safeParse(1).error, 'Something went wrong.'],
  ['JSON from a server', new SyncError('invalid_request', '{"error":1}'), 'Something went wrong.'],
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
