/**
 * Returns whether a password has `min` to `max` characters, however a keyboard writes them: é is one, of one code point
 * or of two. Text of more than four times that many code units is not looked at, because normalising costs work.
 */
export function hasLength(min: number, max: number): (password: string) => boolean {
  return (password) => {
    if (password.length > 4 * max) return false
    const { length } = Array.from(password.normalize('NFC'))
    return length >= min && length <= max
  }
}
