import { readMarkdown, type Reading } from './read-markdown.ts'
import { wordsOf } from './words.ts'

/** Tells, each time a text has grown, which sentences are new and complete. */
export type Speech = (text: string, isFinal: boolean) => readonly string[]

/**
 * Reads a growing text for those who listen. A sentence is said once, when the next one has begun or its block has ended:
 * a screen reader that is told of every piece says shreds.
 */
export function createSpeech(locale: string): Speech {
  const segmenter = new Intl.Segmenter(locale, { granularity: 'sentence' })
  let reading: Reading | undefined
  /** The block that is being said, and how many of its sentences were. */
  let block = 0
  let sentences = 0

  return (text, isFinal) => {
    reading = readMarkdown(text, { isFinal, isTyped: false }, reading)
    const { blocks } = reading
    // An unfinished line may seem to have ended the block before it.
    const finished = isFinal ? blocks.length : Math.max(0, blocks.length - 2)
    const said: string[] = []
    for (; block < blocks.length; block++) {
      const { block: shown } = blocks[block] ?? {}
      const all = shown === undefined ? [] : sentencesIn(wordsOf(shown), segmenter)
      const isOver = block < finished
      said.push(...all.slice(sentences, isOver ? undefined : -1))
      sentences = isOver ? 0 : Math.max(sentences, all.length - 1)
      if (!isOver) break
    }
    return said
  }
}

function sentencesIn(words: string, segmenter: Intl.Segmenter): string[] {
  return Array.from(segmenter.segment(words), ({ segment }) => segment.trim()).filter((it) => it !== '')
}
