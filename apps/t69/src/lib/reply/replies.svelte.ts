import { SvelteMap } from 'svelte/reactivity'

import { turnsOf, type Turn } from '../model/chat-history.ts'
import {
  addMessage,
  addVersion,
  messageOf,
  showToAll,
  threadOf,
  type NewMessage,
  type ThreadEntry,
} from '../model/chat-tree.ts'
import { hostOf } from '../model/provider-address.ts'
import { keyOf, keyProblem, type Provider, type Secrets } from '../model/providers.ts'
import type { ReplyEnd } from '../model/reply-state.ts'
import { itemOfTree, titleOf } from '../model/space-tree.ts'
import type { Tree, Vertex } from '../model/tree.ts'
import { choiceIn, whoAnswers, type Answerer } from '../model/who-answers.ts'
import type { Ask } from '../provider-api/ask.ts'
import type { Refusal } from '../provider-api/refusal.ts'
import type { SpaceView } from '../state/space-view.svelte.ts'
import { watchStop } from './stop-elsewhere.ts'
import { claim } from './take-over.ts'
import { writeReplyInto, type WrittenReply } from './written-reply.ts'

/** A reply that somebody asked this device for. */
interface Job {
  readonly view: SpaceView
  readonly treeId: string
  /** The message that is answered, or after which a reply goes on. */
  readonly after: string
  /** The reply to write another version of; null for the first one. */
  readonly entry: ThreadEntry | null
  /** That reply is lost: this device answers in place of the one that is gone, if no other does. */
  readonly takesOver?: boolean
  /** The assistant that is asked, if not that of the chat. */
  readonly configId?: string | undefined
}

/** A reply that this device is producing. */
interface Running {
  readonly job: Job
  readonly abort: AbortController
  /** Null before it has begun. */
  reply: WrittenReply | null
}

/** A question that waits for a key. */
export interface KeyWanted {
  readonly provider: Provider
  /** None was entered on this device, or one for another address. */
  readonly problem: 'missing' | 'moved'
}

/**
 * AI replies. Exactly one device produces a reply: the one that was asked for it. While the reply streams, its text is
 * transient. Parts of it are stored now and then, so that a device that goes away leaves what it had, and all of it at the
 * end, with what became of it.
 */
export class Replies {
  /** The replies that this device is producing, by the tree id of the chat; at most one in each. */
  readonly running = new SvelteMap<string, Running>()
  /** What is asked for while a reply is being produced, by the tree id of the chat. */
  readonly waiting = new SvelteMap<string, readonly Job[]>()
  /** The chats in which the last question waits for a key, by tree id. */
  readonly keyWanted = new SvelteMap<string, KeyWanted & { readonly job: Job }>()

  constructor() {
    // The page goes away, and its edits are noted without waiting.
    addEventListener('pagehide', () => this.#keep(() => true, byDevice))
  }

  /**
   * Answers a message of a chat, after the reply that is being produced there, if there is one. `configId` is the assistant
   * that it asks, if not that of the chat.
   */
  answer(view: SpaceView, treeId: string, messageId: string, configId?: string): Promise<void> {
    return this.#ask({ view, treeId, after: messageId, entry: null, configId })
  }

  /** Writes another version of a reply. */
  again(view: SpaceView, treeId: string, entry: ThreadEntry, after: string): Promise<void> {
    return this.#ask({ view, treeId, after, entry })
  }

  /** Writes another version of a reply whose device is gone, unless another device does. */
  takeOver(view: SpaceView, treeId: string, entry: ThreadEntry, after: string): Promise<void> {
    return this.#ask({ view, treeId, after, entry, takesOver: true })
  }

  /** Continues a reply that ended early, in a message after it. */
  goOn(view: SpaceView, treeId: string, replyId: string): Promise<void> {
    return this.#ask({ view, treeId, after: replyId, entry: null })
  }

  /** Asks once more for what waits for a key. `view` is the space as it is open now: it may have been closed meanwhile. */
  async keyEntered(view: SpaceView, treeId: string): Promise<void> {
    const wanted = this.keyWanted.get(treeId)
    if (wanted === undefined) return
    this.keyWanted.delete(treeId)
    await this.#ask({ ...wanted.job, view })
  }

  /** Shows others one of the chats of a space in which this device is producing a reply. */
  #tellOthers(view: SpaceView): void {
    const first = Array.from(this.running).find(([, { job }]) => job.view === view)
    view.show({ replying: first?.[0] })
  }

  /** Stops the reply in a chat. What waits is answered then. */
  stop(treeId: string): void {
    this.running.get(treeId)?.abort.abort()
  }

  /**
   * Stops the replies in spaces that are about to be locked, which keep what has streamed so far. Everything is stored
   * before this returns.
   */
  stopLocked(): void {
    this.#keep(({ job }) => job.view.isLocked, byDevice)
  }

  /** The same for those in a space that is about to be closed: its trees take no words then. */
  stopIn(view: SpaceView): void {
    this.#keep(
      ({ job }) => job.view === view,
      () => ({ outcome: 'stopped' }),
    )
  }

  #keep(which: (running: Running) => boolean, endOf: (reply: WrittenReply) => ReplyEnd): void {
    for (const running of this.running.values()) {
      if (!which(running)) continue
      running.reply?.end(endOf(running.reply))
      running.abort.abort()
      this.waiting.delete(running.job.treeId)
    }
  }

  async #ask(job: Job): Promise<void> {
    const { treeId } = job
    this.keyWanted.delete(treeId)
    if (this.running.has(treeId)) {
      this.waiting.set(treeId, [...(this.waiting.get(treeId) ?? []), job])
      return
    }
    await this.#produce(job)
    const [next, ...rest] = this.waiting.get(treeId) ?? []
    if (rest.length > 0) this.waiting.set(treeId, rest)
    else this.waiting.delete(treeId)
    if (next !== undefined) await this.#ask(next)
  }

  async #produce(job: Job): Promise<void> {
    const { view, treeId } = job
    const running: Running = { job, abort: new AbortController(), reply: null }
    this.running.set(treeId, running)
    this.#tellOthers(view)
    try {
      const secrets = await view.keys.refresh()
      // Opened for the reply alone, which continues when the user opens another chat.
      const tree = await view.space.openTree(treeId)
      try {
        await this.#produceIn(tree, running, secrets)
      } finally {
        await view.space.closeTree(treeId)
      }
    } catch {
      // The space was closed meanwhile; the chat has what was stored until then.
    } finally {
      this.running.delete(treeId)
      this.#tellOthers(view)
    }
  }

  async #produceIn(tree: Tree, running: Running, secrets: Secrets): Promise<void> {
    const { job } = running
    const { view, treeId, configId } = job
    const choice = configId === undefined ? choiceIn(tree) : { configId, model: undefined }
    const answerer = whoAnswers(view.tree, choice, secrets)
    const problem = answerer && keyProblem(answerer.provider, secrets)
    if (answerer === undefined) return
    if (problem) this.keyWanted.set(treeId, { provider: answerer.provider, problem, job })
    else if (!this.#isAskedLater(tree, job) && (await isOurs(tree, job))) {
      await writeReply(tree, running, answerer, keyOf(answerer.provider, secrets))
      view.activity.wrote(treeId)
    }
  }

  /** Whether a question is answered together with one below it that waits too. */
  #isAskedLater(tree: Tree, { treeId, after, entry }: Job): boolean {
    const later = this.waiting.get(treeId) ?? []
    return entry === null && later.some((job) => job.entry === null && tree.isAncestor(job.after, after))
  }
}

async function isOurs(tree: Tree, { view, entry, takesOver = false }: Job): Promise<boolean> {
  return entry === null || !takesOver || (await claim(view, tree, entry.id))
}

const byDevice = ({ hasText }: WrittenReply): ReplyEnd => ({
  outcome: hasText ? 'cut' : 'lost',
  why: 'device',
})

async function writeReply(
  tree: Tree,
  running: Running,
  { provider, model, assistant }: Answerer,
  key: string | undefined,
): Promise<void> {
  const { job, abort } = running
  const { signal } = abort
  // Its user was signed out before it began.
  signal.throwIfAborted()
  const turns = turnsUpTo(tree, job)
  const vertex = begin(tree, job, {
    role: 'assistant',
    text: '',
    createdAt: Date.now(),
    author: `${provider.title} · ${model}`,
    by: { providerId: provider.id, model, host: hostOf(provider.baseUrl), configId: assistant?.id },
  })
  const reply = writeReplyInto(vertex, () => tree.flushEvents())
  running.reply = reply
  const unwatch = watchStop(job.view, tree, vertex.id, () => abort.abort())
  const ask: Ask = { provider, model, key, instructions: assistant?.instructions ?? '', turns }
  const end = await outcomeOf(reply, ask, signal)
  unwatch()
  reply.end(end)
  if (end.outcome === 'done') void nameAfter(job, tree, ask, reply.text)
}

/** Gives a chat a name after its first reply, where its title is but the cut start of the first message. */
async function nameAfter({ view, treeId }: Job, tree: Tree, ask: Ask, answer: string): Promise<void> {
  const [first] = threadOf(tree, undefined, view.chosen.ids)
  const vertex = first && tree.getVertex(first.id)
  const question = vertex === undefined ? '' : messageOf(vertex, false).text
  if (ask.turns.length > 1) return
  // Not needed before the first answer. Without it, the chat keeps the title that it has.
  const naming = await import('./chat-name.ts').catch(() => null)
  if (naming === null) return
  const { isCutFrom, nameChat } = naming
  const isUnnamed = (): boolean => {
    const item = itemOfTree(view.tree, treeId)
    return item !== undefined && isCutFrom(titleOf(item), question)
  }
  if (!isUnnamed()) return
  const name = await nameChat(ask, { question, answer })
  // Somebody may have chosen a title meanwhile, or closed the space.
  if (name !== null && isUnnamed()) await view.chats.name(treeId, name).catch(() => undefined)
}

/**
 * How long a page that is left takes at most to hear of that, in ms, once its requests were broken off. Then it is the device that
 * went away, and not the network.
 */
const leavingMs = 100

async function outcomeOf(reply: WrittenReply, ask: Ask, signal: AbortSignal): Promise<ReplyEnd> {
  try {
    // Not needed before the first question.
    const { streamAnswer } = await import('../provider-api/completion.ts')
    for await (const piece of streamAnswer(ask, signal))
      if (!reply.take(piece)) return { outcome: 'cut', why: 'length' }
    return reply.ownEnd()
  } catch (error) {
    if (signal.aborted) return { outcome: 'stopped' }
    if (!isRefusal(error)) {
      await new Promise((resolve) => setTimeout(resolve, leavingMs))
      return { outcome: reply.hasText ? 'cut' : 'lost', why: 'network' }
    }
    const { words, status, retryAt } = error
    return { outcome: 'refused', refusal: words === '' ? undefined : words, status, retryAt }
  }
}

/** By its name: what defines it may be the very thing that could not be loaded. */
function isRefusal(error: unknown): error is Refusal {
  return error instanceof Error && error.name === 'Refusal'
}

/** Adds the message that the reply is written into. */
function begin(tree: Tree, { view, after, entry }: Job, message: NewMessage): Vertex {
  const thread = threadOf(tree, undefined, view.chosen.ids)
  const id = entry === null ? addMessage(tree, message, after) : addVersion(tree, entry, message)
  if (entry !== null) view.chosen.forget(entry)
  showToAll(tree, thread, after)
  const vertex = tree.getVertex(id)
  if (vertex === undefined) throw new Error('The message is not here')
  return vertex
}

/** What the model is told: the chat as this reader sees it, up to the message that is answered. */
function turnsUpTo(tree: Tree, { view, after }: Job): Turn[] {
  const thread = threadOf(tree, undefined, view.chosen.ids).map(({ id }) => id)
  const end = thread.indexOf(after)
  // Another version has been chosen meanwhile.
  const ids = end < 0 ? pathTo(tree, after) : thread.slice(0, end + 1)
  return turnsOf(
    ids.flatMap((id) => {
      const vertex = tree.getVertex(id)
      return vertex === undefined ? [] : [messageOf(vertex, false)]
    }),
  )
}

function pathTo(tree: Tree, id: string): string[] {
  const path: string[] = []
  for (let at: string | null = id; at !== null; at = tree.getVertex(at)?.parentId ?? null) path.unshift(at)
  return path
}
