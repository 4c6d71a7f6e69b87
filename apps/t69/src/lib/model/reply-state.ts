import { fittingStart } from './message-size.ts'
import { tracesOf } from './traces.ts'
import { isTime, storedTextOf, type Vertex } from './tree.ts'

/**
 * What became of a reply. It is data beside the text of the message, and never a part of it: the words of a message are
 * the model's own, and only they are sent to a model again.
 */

/**
 * - `done`: the model said all it had to say.
 * - `stopped`: somebody stopped it.
 * - `cut`: it ended early; `why` says by what.
 * - `refused`: the provider or the model refused; `refusal` has its words. Without words, the answer was empty.
 * - `lost`: nothing came, or nobody writes it any more.
 */
export const outcomes = ['done', 'stopped', 'cut', 'refused', 'lost'] as const
export type Outcome = (typeof outcomes)[number]

/** Why a reply was cut or lost: the limit of its length, a filter, the network, or the device that wrote it. */
export const outcomeReasons = ['length', 'filter', 'network', 'device'] as const
export type OutcomeReason = (typeof outcomeReasons)[number]

/** The end of a reply, as its message keeps it. */
export interface ReplyEnd {
  readonly outcome: Outcome
  readonly why?: OutcomeReason | undefined
  /** The provider's own words. */
  readonly refusal?: string | undefined
  /** The HTTP status of a refusal. */
  readonly status?: number | undefined
  /** When the provider takes requests again, in Unix ms, where it said so. */
  readonly retryAt?: number | undefined
}

/** What writes a reply. */
export interface ReplyBy {
  readonly providerId: string
  readonly model: string
  /** Where it was asked: a host, such as `api.openai.com`. */
  readonly host: string
  /** The assistant. */
  readonly configId: string | undefined
}

export interface ReplyState extends Partial<ReplyBy> {
  /** Undefined while it is being written, and for messages of people. */
  readonly outcome: Outcome | undefined
  readonly why: OutcomeReason | undefined
  readonly refusal: string | undefined
  readonly status: number | undefined
  readonly retryAt: number | undefined
  /** What the model thought before it answered; empty for most. */
  readonly thinking: string
  /** It is a reply, and a device is writing it now. */
  readonly inProgress: boolean
  /** It has begun and not ended. When it is not in progress either, the device that wrote it is gone. */
  readonly isOpen: boolean
}

/**
 * The stored properties of a reply that begins. `inProgress` is t69's, and false once the reply has ended. The device that
 * writes it shows `writing` in its place: that goes when the device does, and the stored value stays.
 */
export function beginningOf({
  providerId,
  model,
  host,
  configId,
}: ReplyBy): Record<string, string | boolean> {
  return {
    inProgress: true,
    providerId,
    model: model.toWellFormed(),
    host: host.toWellFormed(),
    ...(configId === undefined ? {} : { configId }),
  }
}

export const writing = 'here'

/** `isGrowing`: somebody shows a text in place of the stored one. `grows`: whether what somebody shows counts. */
export function replyStateOf(vertex: Vertex, isGrowing: boolean, grows: boolean): ReplyState {
  const role = storedTextOf(vertex, 'role')
  const stored = oneOf(outcomes, storedTextOf(vertex, 'outcome'))
  // t69 has its errors as messages of their own kind.
  const outcome = stored ?? (role === 'error' ? 'refused' : undefined)
  const [shown, kept] = [vertex.getProperty('inProgress'), vertex.getProperty('inProgress', false)]
  const thinking = grows ? vertex.getProperty('thinking') : vertex.getProperty('thinking', false)
  const isOpen = outcome === undefined && kept === true
  return {
    outcome,
    why: oneOf(outcomeReasons, storedTextOf(vertex, 'outcomeWhy')),
    refusal: storedTextOf(vertex, 'refusal'),
    status: numberOf(vertex, 'refusalStatus'),
    retryAt: numberOf(vertex, 'retryAt'),
    thinking: typeof thinking === 'string' ? thinking : '',
    inProgress:
      outcome === undefined && (isGrowing || (shown !== kept && shown !== undefined && shown !== false)),
    isOpen,
    ...byOf(vertex),
  }
}

function byOf(vertex: Vertex): Partial<ReplyBy> {
  const [providerId, model] = [storedTextOf(vertex, 'providerId'), storedTextOf(vertex, 'model')]
  const [host, configId] = [storedTextOf(vertex, 'host'), storedTextOf(vertex, 'configId')]
  return {
    ...(providerId === undefined ? {} : { providerId }),
    ...(model === undefined ? {} : { model }),
    ...(host === undefined ? {} : { host }),
    ...(configId === undefined ? {} : { configId }),
  }
}

function oneOf<T extends string>(known: readonly T[], value: string | undefined): T | undefined {
  return known.find((it) => it === value)
}

function numberOf(vertex: Vertex, key: string): number | undefined {
  const value = vertex.getProperty(key, false)
  return typeof value === 'number' && isTime(value) ? value : undefined
}

/**
 * Stores what a reply said and what became of it. Never throws for what a provider sent: words are made well-formed, and
 * cut where no server would take them, which the outcome then says.
 */
export function endReply(
  vertex: Vertex,
  said: { readonly text: string; readonly thinking: string },
  end: ReplyEnd,
): void {
  const [text, thinking] = [fittingStart(said.text), fittingStart(said.thinking)]
  const isCut = text.length < said.text.length && end.outcome === 'done'
  const { outcome, why, refusal, status, retryAt } = isCut ? { ...end, outcome: 'cut', why: 'length' } : end
  if (text !== '') vertex.setProperty('text', text)
  if (thinking !== '') vertex.setProperty('thinking', thinking)
  if (why !== undefined) vertex.setProperty('outcomeWhy', why)
  if (refusal !== undefined) vertex.setProperty('refusal', fittingStart(refusal))
  if (status !== undefined) vertex.setProperty('refusalStatus', status)
  if (retryAt !== undefined) vertex.setProperty('retryAt', retryAt)
  vertex.setProperty('outcome', outcome)
  // A stored value replaces what this device shows in its place.
  vertex.setProperty('inProgress', false)
}

/** The key of a part of a reply's text. */
const partKey = (index: number): string => `text.${index}`

/** How long a part must be at least, in UTF-16 code units. */
const leastPart = 2_000

/**
 * Whether the text that has come since the last part is worth another one, so that a device that goes away leaves what it
 * had. Each part holds only what is new: all of them cost the log the text once, and the whole text costs it once more.
 */
export function isPartDue(stored: number, length: number): boolean {
  return length - stored >= Math.max(leastPart, stored / 8)
}

export function storePart(vertex: Vertex, index: number, part: string): void {
  vertex.setProperty(partKey(index), part)
}

/**
 * The text in the parts of a reply, which counts while it has no whole text; undefined when there are none. Only parts before
 * the first one that does not count.
 */
export function textOfParts(
  vertex: Vertex,
  counts: (key: string) => boolean = () => true,
): string | undefined {
  const keys = partKeysOf(vertex)
  if (keys.length === 0) return undefined
  const end = keys.findIndex((key) => !counts(key))
  return (end < 0 ? keys : keys.slice(0, end)).map((key) => storedTextOf(vertex, key) ?? '').join('')
}

export type MessageRole = 'user' | 'assistant' | 'error'

/** What once was a reply stays one: nobody can make a model's words look like those of the person who asked it. */
export function roleOf(vertex: Vertex): MessageRole {
  const role = storedTextOf(vertex, 'role')
  if (role === 'assistant' || role === 'error') return role
  return tracesOf(vertex.tree).replies.has(vertex.id) ? 'assistant' : 'user'
}

/** The properties that hold what a message says. Whoever wrote one of them last is its author. */
export function sayingKeysOf(vertex: Vertex): string[] {
  if (roleOf(vertex) === 'user') return ['text']
  const parts = vertex.getProperty('text', false) === undefined ? partKeysOf(vertex) : []
  return ['text', 'thinking', 'refusal', ...parts]
}

/** The most parts that count. The longest reply has some 40, since they grow with it. */
const mostParts = 200

function partKeysOf(vertex: Vertex): string[] {
  const keys: string[] = []
  while (keys.length < mostParts && storedTextOf(vertex, partKey(keys.length)) !== undefined)
    keys.push(partKey(keys.length))
  return keys
}
