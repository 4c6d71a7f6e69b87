/** What a model thought, apart from what it answers. */
export interface Said {
  /** Empty for most replies. */
  readonly thoughts: string
  readonly answer: string
}

const opening = /^\s*<(think|thinking|thought|reasoning)>\s*/i

/**
 * Tells thoughts from the answer. Providers send them beside the text, and models that run at home write them into it, in
 * tags at its beginning; some leave out the tag that opens. Thoughts without an end are all that there is so far.
 */
export function saidIn({ text, thinking }: { readonly text: string; readonly thinking: string }): Said {
  const open = opening.exec(text)
  if (open === null) {
    const end = /^<\/think(?:ing)?>[ \t]*$/im.exec(text)
    if (end === null || text.slice(0, end.index).includes('```')) return { thoughts: thinking, answer: text }
    return apart(thinking, text, 0, end.index, end.index + end[0].length)
  }
  const close = `</${(open[1] ?? '').toLowerCase()}>`
  const at = text.toLowerCase().indexOf(close, open[0].length)
  return apart(
    thinking,
    text,
    open[0].length,
    at < 0 ? text.length : at,
    at < 0 ? text.length : at + close.length,
  )
}

function apart(thinking: string, text: string, from: number, to: number, rest: number): Said {
  const inText = withoutPartOfTag(text.slice(from, to)).trim()
  const thoughts = [thinking, inText].filter((part) => part !== '').join('\n\n')
  return { thoughts, answer: text.slice(rest).trimStart() }
}

/** A closing tag arrives in pieces. */
function withoutPartOfTag(thoughts: string): string {
  return thoughts.replace(/<(?:\/[a-z]{0,9})?$/i, '')
}
