import type { HighlightAnswer, HighlightRequest } from './highlight-messages.ts'

/** The page's side of the thread that colours code: one thread, begun with the first code that has a grammar. */

/** How long the thread may work at one card, in ms, on a slow phone as well. After that it is ended, and the card stays as it is. */
const patienceMs = 10_000

type Listener = (answer: HighlightAnswer) => void

let worker: Worker | undefined
let timer: ReturnType<typeof setTimeout> | undefined
let lastCard = 0
const listeners = new Map<number, Listener>()
/** What was asked for and not answered, so that it can be asked of another thread. */
const waiting = new Map<number, HighlightRequest>()

/** Registers a card. `heard` gets the answers to it. Returns its number. */
export function addCard(heard: Listener): number {
  listeners.set(++lastCard, heard)
  return lastCard
}

export function askFor(request: HighlightRequest): void {
  worker ??= begin()
  waiting.set(request.card, request)
  worker.postMessage(request)
}

export function dropCard(card: number): void {
  listeners.delete(card)
  waiting.delete(card)
  worker?.postMessage({ card, code: null } satisfies HighlightRequest)
}

function begin(): Worker {
  const worker = new Worker(new URL('./highlight-worker.ts', import.meta.url), { type: 'module' })
  worker.addEventListener('message', ({ data }: MessageEvent<HighlightAnswer>) => heard(data))
  // Its script did not come, without a network say. The next code asks again.
  worker.addEventListener('error', end)
  return worker
}

function heard(answer: HighlightAnswer): void {
  clearTimeout(timer)
  if (answer.kind === 'begun') timer = setTimeout(() => giveUp(answer.card), patienceMs)
  else waiting.delete(answer.card)
  listeners.get(answer.card)?.(answer)
}

function giveUp(card: number): void {
  end()
  waiting.delete(card)
  listeners.get(card)?.({ card, kind: 'failed' })
  for (const request of waiting.values()) askFor(request)
}

function end(): void {
  clearTimeout(timer)
  worker?.terminate()
  worker = undefined
}
