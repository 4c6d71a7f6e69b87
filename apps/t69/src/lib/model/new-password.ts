/** Why the server would refuse a new password, in words for its author; empty if it takes it. */
export function newPasswordProblem(password: string): string {
  // Counted as the server counts: an emoji is one character, and so is é, however the keyboard writes it.
  const { length } = Array.from(password.normalize('NFC'))
  if (length < 8) return 'The password needs at least 8 characters.'
  return length > 256 ? 'The password can have at most 256 characters.' : ''
}
