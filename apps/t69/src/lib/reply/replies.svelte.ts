import { startOfText } from '@t69/protocol'
import { SvelteMap } from 'svelte/reactivity'

import { addMessage, messageOf, threadOf } from '../model/chat-tree.ts'
import { errorText } from '../model/error-text.ts'
import { hadKey, providersOf, providerToAsk, secretKeyOf, type Provider } from '../model/providers.ts'
import type { Tree } from '../model/tree.ts'
import { readSecrets } from '../state/device-storage.ts'
import type { SpaceView } from '../state/space-view.svelte.ts'
import { streamCompletion } from './completion.ts'

/** How often the text of a streaming reply is shown to others, and how often it is stored, in ms. */
const showEveryMs = 100
const keepEveryMs = 5000

/**
 * AI replies. Exactly one device produces a reply: the one that sent the message, because only sending starts one.
 * While the reply streams, its text is transient. It is also stored now and then, so that a device that goes away
 * leaves what it had, and once more at the end.
 */
export class Replies {
  /** The replies that this device is producing, by the tree id of the chat; aborting one stops it. */
  readonly running = new SvelteMap<string, AbortController>()

  /** Answers the chat's last message, if a provider is set up and no reply is being produced. */
  async answer(view: SpaceView, treeId: string): Promise<void> {
    const providers = providersOf(view.tree)
    if (providers.length === 0 || this.running.has(treeId)) return
    const stop = new AbortController()
    this.running.set(treeId, stop)
    try {
      const secrets = await readSecrets(view.space.id)
      const provider = providerToAsk(providers, secrets)
      if (provider === undefined) return
      // Opened for the reply alone, which continues when the user opens another chat.
      const tree = await view.space.openTree(treeId)
      await writeReply(tree, provider, secrets, stop.signal)
      await view.space.closeTree(treeId)
    } catch {
      // The space was closed meanwhile; the chat has what was stored until then.
    } finally {
      this.running.delete(treeId)
    }
  }

  stop(treeId: string): void {
    this.running.get(treeId)?.abort()
  }
}

async function writeReply(
  tree: Tree,
  provider: Provider,
  secrets: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<void> {
  const thread = threadOf(tree)
  const messages = thread.flatMap(({ id }) => {
    const vertex = tree.getVertex(id)
    const message = vertex && messageOf(vertex)
    if (message === undefined || message.role === 'error' || message.text === '') return []
    return [{ role: message.role, content: message.text }]
  })
  const { title, baseUrl, model } = provider
  const id = addMessage(
    tree,
    { role: 'assistant', text: '', createdAt: Date.now(), author: `${title} · ${model}` },
    thread.at(-1)?.id,
  )
  const vertex = tree.getVertex(id)
  if (vertex === undefined) return
  vertex.setTransientProperty('inProgress', true)

  let text = ''
  let keptAt = performance.now()
  let showing: ReturnType<typeof setTimeout> | undefined
  const show = (): void => {
    showing = undefined
    try {
      vertex.setTransientProperty('text', startOfText(text))
    } catch {
      // The space was closed meanwhile.
    }
  }
  try {
    const apiKey = keyFor(provider, secrets)
    for await (const piece of streamCompletion({ baseUrl, model, apiKey, messages }, signal)) {
      // Pieces are joined as they come: a provider may split a character between two of them.
      text += piece
      // A timer, so that the last piece before a pause is shown too.
      showing ??= setTimeout(show, showEveryMs)
      if (performance.now() - keptAt <= keepEveryMs) continue
      vertex.setProperty('text', startOfText(text))
      keptAt = performance.now()
    }
  } catch (error) {
    if (!signal.aborted) {
      vertex.setProperty('role', text === '' ? 'error' : 'assistant')
      text =
        text === ''
          ? `No reply: ${errorText(error)}`
          : `${text}\n\n(The reply was interrupted: ${errorText(error)})`
    }
  } finally {
    clearTimeout(showing)
  }
  // A stored value replaces the transient one.
  vertex.setProperty('text', text === '' ? '(Stopped)' : text.toWellFormed())
  vertex.setProperty('inProgress', false)
  tree.flushEvents()
}

/** The key for a provider; undefined if none was ever entered. Throws if one was entered for another address. */
function keyFor(provider: Provider, secrets: ReadonlyMap<string, string>): string | undefined {
  const key = secrets.get(secretKeyOf(provider))
  if (key !== undefined || !hadKey(provider, secrets)) return key
  throw new Error(
    `The address of ${provider.title} is now ${provider.baseUrl}. If that is right, enter its key again in the settings.`,
  )
}
