import { limits, startOfText, utf8Length } from '@t69/protocol'

const isTooLong = (text: string): boolean =>
  // No character takes more than six bytes in JSON.
  text.length * 6 + 2 > limits.maxValueBytes && utf8Length(JSON.stringify(text)) > limits.maxValueBytes

/** A text as a value holds it: well-formed, and only its start when no server would take all of it. */
export function fittingStart(text: string): string {
  if (!isTooLong(text.toWellFormed())) return text.toWellFormed()
  let [fits, exceeds] = [0, Math.min(text.length, limits.maxValueBytes)]
  while (exceeds - fits > 1) {
    const middle = Math.floor((fits + exceeds) / 2)
    if (isTooLong(startOfText(text, middle))) exceeds = middle
    else fits = middle
  }
  return startOfText(text, fits)
}

/** Why a text is too long for a message, in words for its author; null when it is not. No server takes a longer one. */
export function sizeProblem(text: string): string | null {
  if (!isTooLong(text)) return null
  const bytes = utf8Length(JSON.stringify(text))
  const most = Math.floor(limits.maxValueBytes / 1024)
  return `This message is ${Math.ceil(bytes / 1024)} kB long, and the limit is ${most} kB. Shorten it, or send it in parts.`
}
