import createMarkdownIt, { type MarkdownIt } from 'markdown-it'

import { addMathRules } from './math-rules.ts'

/**
 * The two halves of markdown-it as we use it: one finds the blocks of a text, the other reads the inside of a block.
 * HTML is text. Links lead to web pages and mail addresses, and to nothing else. See decision 0048.
 */

/** How deep quotes and lists may lie in each other (each takes one or two), and emphasis and links. */
export const maxNesting = 40

export type References = Readonly<Record<string, { title: string; href: string }>>

const blockParser = configured()
blockParser.core.ruler.disable(['inline', 'linkify'])
const inlineParser = configured()
/** Only links: for text that is shown as it was typed. */
const linkParser = configured('zero').enable('linkify')

function configured(preset: 'default' | 'zero' = 'default'): MarkdownIt {
  const md = createMarkdownIt(preset, { html: false, breaks: true, linkify: true, maxNesting })
  md.linkify.set({ fuzzyLink: false, fuzzyEmail: false, fuzzyIP: false })
  for (const schema of ['ftp:', '//']) md.linkify.add(schema, null)
  md.validateLink = (url) => /^(?:https?:\/\/|mailto:)/i.test(url.trim())
  // The address is shown as it was written: decoding it could make it look like another one.
  md.normalizeLinkText = (url) => url
  if (preset === 'default') addMathRules(md)
  return md
}

export const blockTokens = (text: string, env: { references?: References }) => blockParser.parse(text, env)
export const inlineTokens = (text: string, references: References) =>
  inlineParser.parseInline(text, { references })[0]?.children ?? []
export const linkTokens = (text: string) => linkParser.parseInline(text, {})[0]?.children ?? []
