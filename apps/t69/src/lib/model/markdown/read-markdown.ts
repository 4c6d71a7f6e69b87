import type { Block } from './blocks.ts'
import { blockTokens, type References } from './parser.ts'
import { readBlock, topBlocksOf, type TopTokens } from './read-blocks.ts'
import { readTyped } from './read-inline.ts'

/** A block and the text that it was read from. The same object for as long as the text stays the same. */
export interface ReadBlock {
  readonly block: Block
  readonly source: string
  /** Where it begins in the text, in UTF-16 code units. */
  readonly start: number
}

/** A text as it was read, which the next reading of the same text, grown meanwhile, continues. */
export interface Reading {
  readonly text: string
  readonly blocks: readonly ReadBlock[]
  /** What link references were defined up to where a next reading begins, and where that is. */
  readonly references: References
  readonly resumeAt: number
}

export interface ReadOptions {
  /** The text is complete: references that are defined at its end count for all of it. */
  readonly isFinal: boolean
  /** The text of a person: shown as it was typed, but for code between fences. */
  readonly isTyped: boolean
}

const nothing: Reading = { text: '', blocks: [], references: {}, resumeAt: 0 }

/**
 * Reads a text. With `before`, a reading of what the text began with, only its end is read again: the last block, which
 * grows, and the one before, which an unfinished line may seem to have ended. All other blocks are the same objects.
 */
export function readMarkdown(written: string, options: ReadOptions, before: Reading = nothing): Reading {
  const text = written.replaceAll(/\r\n?/g, '\n')
  const continues = text.startsWith(before.text)
  const definesAny = text.includes(']:')
  const from = continues && !(options.isFinal && definesAny) ? before : nothing
  const kept = from.blocks.filter(({ start }) => start < from.resumeAt)
  const rest = text.slice(from.resumeAt)
  const env = { references: { ...from.references } }
  const found = topBlocksOf(blockTokens(rest, env))
  const references = definesAny ? env.references : from.references
  const earlier = continues ? new Map(before.blocks.map((one) => [one.start, one])) : undefined
  const added = sourcesOf(rest, from.resumeAt, found, options.isTyped).map(({ source, start, tokens }) => {
    const same = earlier?.get(start)
    // A reference may be defined by now for what is in brackets.
    if (same?.source === source && !(definesAny && source.includes('['))) return same
    return { source, start, block: blockOf(source, tokens, references) }
  })
  const blocks = [...kept, ...added]
  const resumeAt = blocks.at(-2)?.start ?? 0
  return {
    text,
    blocks,
    resumeAt,
    references: definesAny
      ? referencesIn(text.slice(from.resumeAt, resumeAt), from.references)
      : from.references,
  }
}

interface Source {
  readonly source: string
  readonly start: number
  /** Undefined for text that is shown as it was typed. */
  readonly tokens: TopTokens | undefined
}

/** The text of each block. */
function sourcesOf(text: string, offset: number, found: readonly TopTokens[], isTyped: boolean): Source[] {
  const starts = lineStartsOf(text)
  const startOf = (line: number): number => starts[line] ?? text.length
  const sources: Source[] = []
  let done = 0
  for (const tokens of found) {
    if (isTyped && tokens.tokens[0]?.type !== 'fence') continue
    const [start, end] = [startOf(tokens.lines[0]), startOf(tokens.lines[1])]
    if (isTyped) sources.push(...typed(text, offset, done, start))
    sources.push({ source: text.slice(start, end), start: offset + start, tokens })
    done = end
  }
  if (isTyped) sources.push(...typed(text, offset, done, text.length))
  return sources
}

/** What was typed between two fences, without empty lines around it. */
function typed(text: string, offset: number, from: number, to: number): Source[] {
  const between = text.slice(from, to)
  const start = between.search(/\S/)
  if (start < 0) return []
  const firstLine = between.lastIndexOf('\n', start) + 1
  return [{ source: between.slice(firstLine).trimEnd(), start: offset + from + firstLine, tokens: undefined }]
}

function blockOf(source: string, tokens: TopTokens | undefined, references: References): Block {
  const block = tokens && readBlock(tokens, references)
  return block ?? { kind: 'plain', children: readTyped(source.trimEnd()) }
}

function lineStartsOf(text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

function referencesIn(text: string, before: References): References {
  if (!text.includes(']:')) return before
  const env = { references: { ...before } }
  blockTokens(text, env)
  return env.references
}
