import type { ErrorBody } from '@t69/protocol'

/** What a line of the log says of a refusal. */
export interface RefusalDetails {
  readonly code: ErrorBody['code']
  readonly why: string
}

/**
 * The code of a refusal, and its message without what is quoted in it. That may be somebody's words: the name of a space, a
 * key of a body, a URL with the token of an invite.
 */
export function refusalDetails({ code, message }: Pick<ErrorBody, 'code' | 'message'>): RefusalDetails {
  return { code, why: message.replace(/["“'`].*["”'`]/s, '…') }
}
