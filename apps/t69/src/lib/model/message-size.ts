import { limits, utf8Length } from '@t69/protocol'

/** Why a text is too long for a message, in words for its author; null when it is not. No server takes a longer one. */
export function sizeProblem(text: string): string | null {
  // No character takes more than six bytes in JSON.
  if (text.length * 6 + 2 <= limits.maxValueBytes) return null
  const bytes = utf8Length(JSON.stringify(text))
  if (bytes <= limits.maxValueBytes) return null
  const most = Math.floor(limits.maxValueBytes / 1024)
  return `This message is ${Math.ceil(bytes / 1024)} kB long, and the limit is ${most} kB. Shorten it, or send it in parts.`
}
