import type { ErrorCode } from '@t69/protocol'

/**
 * What went wrong, in words for the user. An error without a code of the protocol is a bug, and keeps its own text.
 * `here` has the words for codes that mean something else where they are shown.
 */
export function errorText(error: unknown, here: Partial<Record<ErrorCode, string>> = {}): string {
  if (!(error instanceof Error)) return 'Something went wrong.'
  if (isMissingPart(error))
    return 'This part of t69 could not be loaded. Check the connection, or reload the page if there is a new version.'
  const code = codeOf(error)
  const own = isSentence(error.message) ? error.message.toWellFormed() : 'Something went wrong.'
  return code === undefined ? own : (here[code] ?? words()[code] ?? own)
}

/** What the browsers, and Vite, say of an `import()` whose file does not come. */
const missingPart = /dynamically imported module|Importing a module script failed|Unable to preload CSS/i

function isMissingPart(error: Error): boolean {
  return missingPart.test(error.message)
}

/** Whether a message is for people. Those of schemas are JSON, and a proxy answers with a page. */
function isSentence(message: string): boolean {
  return message !== '' && !/^\s*[[{<]/.test(message)
}

/** The same, for an action that asks for the password again. */
export function accountErrorText(error: unknown): string {
  const code = error instanceof Error ? codeOf(error) : undefined
  if (code === 'wrong_credentials') return 'That is not your current password.'
  // It names the spaces that would be left without an owner.
  if (code === 'forbidden' && error instanceof Error) return `${error.message}.`
  return errorText(error)
}

/** The same, for signing up and in. */
export function signInErrorText(error: unknown): string {
  // It says what signing up takes on this server.
  if (error instanceof Error && codeOf(error) === 'forbidden') return `${error.message}.`
  return errorText(error)
}

export function codeOf(error: Error): ErrorCode | undefined {
  if (error.name !== 'SyncError' || !('code' in error)) return undefined
  const code = error.code
  return typeof code === 'string' && isErrorCode(code) ? code : undefined
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(words(), code)
}

/** The text for each code; null where the server's own message says more than this page could. */
function words(): Readonly<Record<ErrorCode, string | null>> {
  return {
    unauthenticated: 'You are signed out. Sign in again.',
    forbidden: 'Your role in this space does not allow that.',
    not_found: 'That no longer exists.',
    invalid_request: null,
    wrong_credentials: 'The e-mail address and password do not match.',
    already_exists: 'There is already an account with that e-mail address.',
    invite_expired: 'This invite is no longer valid. Ask for a new one.',
    invalid_batch: null,
    op_conflict: null,
    clock_out_of_range: null,
    too_large: 'That is too large to sync.',
    rate_limited: 'Too many attempts. Wait a moment, then try again.',
    quota_exceeded: 'There is no room left on the server for this space.',
    not_joined: null,
    other_space: null,
    access_behind: 'The server was restored and is catching up. Try again.',
    unsupported_version: 'This page is too old for the server. Reload it; your edits stay here.',
    storage_failed: 'The server cannot store anything at the moment. Your edits stay here.',
    unavailable: 'The server cannot be reached. Try again when you are online.',
    internal: 'The server had a problem. Try again.',
  }
}
