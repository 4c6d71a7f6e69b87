import { startOfText } from '@t69/protocol'

import { fittingStart } from '../model/message-size.ts'
import { endReply, isPartDue, storePart, writing, type ReplyEnd } from '../model/reply-state.ts'
import type { Vertex } from '../model/tree.ts'
import type { Piece } from '../provider-api/ask.ts'

/** How often the text of a reply that streams is shown, in ms. */
const showEveryMs = 100

/** A reply as it comes: shown to everyone while it grows, and stored once it ends. */
export interface WrittenReply {
  /** Takes a piece. Returns false when no more text fits into the message. */
  take(piece: Piece): boolean
  /** Stores the reply. Later calls do nothing. */
  end(end: ReplyEnd): void
  /** What the model said for itself of its end, where nothing went wrong on the way. */
  ownEnd(): ReplyEnd
  readonly hasText: boolean
  readonly text: string
}

/** Writes into the message of a reply. The tree may be closed meanwhile: then nothing more is shown or stored. */
export function writeReplyInto(vertex: Vertex, flush: () => void): WrittenReply {
  const said = { text: '', thinking: '', refusal: '' }
  const parts = { count: 0, length: 0 }
  let why: 'done' | 'length' | 'filter' = 'done'
  let checkedLength = 0
  let hasRoom = true
  let isOver = false
  let showing: ReturnType<typeof setTimeout> | undefined

  function show(): void {
    showing = undefined
    attempt(() => {
      for (const key of ['thinking', 'text'] as const)
        if (said[key] !== '') vertex.setTransientProperty(key, startOfText(said[key]))
    })
  }

  function storeParts(): void {
    const text = startOfText(said.text)
    if (!isPartDue(parts.length, text.length)) return
    storePart(vertex, parts.count, text.slice(parts.length))
    parts.count += 1
    parts.length = text.length
  }

  attempt(() => vertex.setTransientProperty('inProgress', writing))
  return {
    get hasText() {
      return said.text.trim() !== ''
    },
    get text() {
      return said.text
    },
    take(piece) {
      if (isOver) return false
      if (piece.kind === 'end') why = piece.why
      // Pieces are joined as they come: a provider may split a character between two of them.
      else said[piece.kind] += piece.text
      // A timer, so that the last piece before a pause is shown too.
      showing ??= setTimeout(show, showEveryMs)
      attempt(storeParts)
      if (said.text.length - checkedLength > 10_000) {
        checkedLength = said.text.length
        hasRoom = fittingStart(said.text) === startOfText(said.text)
      }
      return hasRoom
    },
    end(end) {
      if (isOver) return
      isOver = true
      clearTimeout(showing)
      attempt(() => {
        endReply(vertex, said, end)
        flush()
      })
    },
    ownEnd() {
      if (said.refusal !== '') return { outcome: 'refused', refusal: said.refusal }
      if (why !== 'done') return { outcome: 'cut', why }
      // An empty answer is a refusal without words.
      return said.text.trim() === '' && said.thinking === '' ? { outcome: 'refused' } : { outcome: 'done' }
    },
  }
}

/** Edits a tree that may have been closed. */
function attempt(edit: () => void): void {
  try {
    edit()
  } catch {
    // The space was closed meanwhile; the chat has what was stored until then.
  }
}
