import type { ErrorBody, ErrorCode, RefusalReason } from '@t69/protocol'
import { SyncError } from '@t69/sync-client'

/** What only dialogs are refused for, whose words come with them: `refusal-text.ts`. */
export type DialogReason =
  | 'keeps_an_owner'
  | 'last_owner'
  | 'address_taken'
  | 'last_way_in'
  | 'too_many_passkeys'
  | 'passkey_known'
  | 'not_admin'
  | 'last_admin'
  | 'own_account'
  | 'too_many_invites'

/** Words for what means something else where they are shown. */
export type OwnWords = Partial<Record<ErrorCode | RefusalReason, string>>

/**
 * What went wrong, in words for the user: by the reason of a refusal, or else by its code. An error without a code of the protocol is a
 * bug, and keeps its own text. `here` has the words that come before the usual ones, those for a reason first. In dialogs, see `refusalText`.
 */
export function errorText(error: unknown, here: OwnWords = {}): string {
  if (!(error instanceof Error)) return 'Something went wrong.'
  if (isMissingPart(error))
    return 'This part of t69 could not be loaded. Check the connection, or reload the page if there is a new version.'
  const body = bodyOf(error)
  const own = isSentence(error.message) ? error.message.toWellFormed() : 'Something went wrong.'
  return body === undefined ? own : wordsFor(body, here)
}

/** The same for what keeps a space from syncing. The storage that fails may be this device's, which says more itself. */
export function answerText(error: ErrorBody): string {
  const saysMore = error.code === 'internal' || error.code === 'storage_failed'
  return saysMore && error.reason === undefined ? error.message : wordsFor(error)
}

function wordsFor(error: ErrorBody, here: OwnWords = {}): string {
  const { code, reason } = error
  const reasons: OwnWords = { ...refusalWords(), ...here }
  return (reason && reasons[reason]) ?? here[code] ?? codeWords(error)[code]
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

export function codeOf(error: unknown): ErrorCode | undefined {
  return bodyOf(error)?.code
}

export function reasonOf(error: unknown): RefusalReason | undefined {
  return bodyOf(error)?.reason
}

export function bodyOf(error: unknown): ErrorBody | undefined {
  return error instanceof SyncError ? error.body : undefined
}

function codeWords({ at }: ErrorBody): Readonly<Record<ErrorCode, string>> {
  return {
    unauthenticated: 'You are signed out. Sign in again.',
    forbidden: 'The server does not allow that.',
    not_found: 'That no longer exists.',
    invalid_request: fieldWords(at),
    wrong_credentials: 'The e-mail address and password do not match.',
    already_exists: 'That is there already.',
    invite_expired: 'This invite is no longer valid. Ask for a new one.',
    invalid_batch: 'The server cannot read this edit.',
    op_conflict: 'The server already has a different edit in its place.',
    clock_out_of_range: 'The clock of this device is too far ahead of the others.',
    too_large: 'That is too large to sync.',
    rate_limited: 'Too many attempts. Wait a moment, then try again.',
    quota_exceeded: 'There is no room left on the server for this space.',
    not_joined: 'The connection was interrupted. Try again.',
    other_space: 'Another space has the place of this one on the server.',
    access_behind: 'The server was restored and is catching up. Try again.',
    unsupported_version: 'This page is too old for the server. Reload it; your edits stay here.',
    storage_failed: 'The server cannot store anything at the moment. Your edits stay here.',
    unavailable: 'The server cannot be reached. Try again when you are online.',
    internal: 'The server had a problem. Try again.',
  }
}

/** What is wrong with a field that somebody filled in. What else is malformed is a bug. */
function fieldWords(at: ErrorBody['at']): string {
  switch (at) {
    case 'email':
      return 'Enter a valid e-mail address.'
    case 'name':
      return 'The name is empty, or too long.'
    case 'password':
    case 'newPassword':
      return 'A password has 8 to 256 characters.'
    default:
      return 'The server does not understand what this page asks. Reload it, and try again.'
  }
}

function refusalWords(): Readonly<Record<Exclude<RefusalReason, DialogReason>, string>> {
  return {
    role: 'Your role in this space does not allow that.',
    owner_needed: 'The server has lost this space. Only an owner can bring it back.',
    sign_up_closed: 'This server takes no new accounts.',
    invite_needed:
      'This server takes new accounts by invite only. Ask somebody who is here for an invite link, and open it.',
    address_unproven:
      'There is an account with your e-mail address. Sign in with its password, then connect it under “Change password…” in its menu.',
    address_unverified: 'Your e-mail address is not verified there. Verify it, or sign in with a password.',
    connection_ended:
      'You have disconnected your account from there. Sign in another way, and connect it again.',
    connected_elsewhere:
      'Your account is connected with somebody else there, or you are with another account here.',
    too_late: 'That took too long, or was done already. Begin again.',
    other_page:
      'The server does not take the address of this page for its own. Whoever runs it has to set it (PUBLIC_URL).',
    other_user: 'Somebody else is signed in on this device by now. Reload the page.',
    id_taken: 'Another space has the place of this one on the server.',
    too_many_spaces: 'You own as many spaces as this server allows. Delete one first.',
    too_many_members: 'The space has as many members as it may have.',
    locked: 'This device keeps this space for another account.',
    nothing_to_decide: 'There is nothing to decide any more.',
    not_offered: 'This server does not offer that any more. Reload the page.',
    provider_unreachable: 'The place where you would sign in cannot be reached. Try again later.',
    busy: 'Too many people are signing in at the moment. Try again soon.',
  }
}
