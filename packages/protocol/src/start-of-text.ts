/** Undefined in browsers that cannot tell where a character ends; code points are the next best. */
const characters =
  'Segmenter' in Intl ? new Intl.Segmenter(undefined, { granularity: 'grapheme' }) : undefined

/**
 * The start of `text`, of at most `maxLength` UTF-16 code units, without half a character: an emoji of several code
 * points stays whole or goes. The result is well-formed, as every value that syncs has to be: half a surrogate pair at
 * the end is left out, since its other half may still be to come, and any other becomes U+FFFD. Without `maxLength`,
 * only that is mended. `length` and `slice` count halves, so nothing else cuts text that people wrote.
 *
 *     startOfText('Hello 👨‍👩‍👧', 9) // 'Hello '
 */
export function startOfText(text: string, maxLength: number = text.length): string {
  return text.slice(0, cutAt(text, maxLength)).toWellFormed()
}

function cutAt(text: string, maxLength: number): number {
  const at = text.length > maxLength ? (characters?.segment(text).containing(maxLength)?.index ?? 0) : 0
  // One character can be longer than any limit: letters take any number of accents.
  return at > 0 ? at : wholeCodePoints(text, Math.min(maxLength, text.length))
}

function wholeCodePoints(text: string, end: number): number {
  const last = text.charCodeAt(end - 1)
  return last >= 0xd800 && last < 0xdc00 ? end - 1 : end
}

/** The first character of a text as people count them, well-formed; empty for an empty text. */
export function firstCharacter(text: string): string {
  const [codePoint = ''] = text
  return (characters?.segment(text).containing(0)?.segment ?? codePoint).toWellFormed()
}
