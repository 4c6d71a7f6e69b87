import type { ParserBlock, ParserInline } from 'markdown-it'

/** markdown-it has these types, but exports no names for them. */
export type InlineRule = Parameters<ParserInline['ruler']['push']>[1]
export type BlockRule = Parameters<ParserBlock['ruler']['push']>[1]
