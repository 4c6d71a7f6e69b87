import { limits, utf8Length } from '@t69/protocol'

/** Why a message cannot be sent, for whoever wrote it; null when it can. No server takes a larger one. */
export function sizeProblem(text: string): string | null {
  // No character takes more than six bytes in JSON.
  if (text.length * 6 + 2 <= limits.maxValueBytes) return null
  const bytes = utf8Length(JSON.stringify(text))
  if (bytes <= limits.maxValueBytes) return null
  const most = Math.floor(limits.maxValueBytes / 1024)
  return `This is ${Math.ceil(bytes / 1024)} kB, and a message has ${most} kB at most. Shorten it, or send it in parts.`
}
