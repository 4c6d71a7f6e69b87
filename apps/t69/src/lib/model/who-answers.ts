import { assistantsOf, defaultAssistantId, type Assistant, type ModelChoice } from './assistants.ts'
import { isLedAway, providersOf, providerToAsk, type Provider, type Secrets } from './providers.ts'
import { edit, textOf, unwatched, type Tree, type Visit } from './tree.ts'

/** Who answers in a chat: what its people chose, else what its assistant asks, else the default of the space. */
export interface Answerer {
  readonly provider: Provider
  /** Empty for the first one that the provider lists. */
  readonly model: string
  readonly assistant: Assistant | undefined
}

/** What the people of a chat chose, as its root keeps it. */
export interface ChatChoice {
  readonly configId: string | undefined
  readonly model: ModelChoice | undefined
}

export function choiceIn(chat: Tree | undefined, visit: Visit = unwatched): ChatChoice {
  const root = chat?.root
  if (root === undefined) return { configId: undefined, model: undefined }
  visit(root.id)
  const [providerId, model] = [textOf(root, 'providerId'), textOf(root, 'model')]
  return {
    configId: textOf(root, 'configId'),
    model: providerId === undefined || model === undefined ? undefined : { providerId, model },
  }
}

/** Keeps a choice for a chat, for all its people. An assistant that is chosen brings its own model. */
export function choose(chat: Tree, choice: ModelChoice | { readonly configId: string }): void {
  edit(chat, () => {
    if (!('configId' in choice)) {
      const { providerId, model } = choice
      return chat.root?.setProperties({ providerId, model: model.toWellFormed() })
    }
    chat.root?.setProperty('configId', choice.configId)
    for (const key of ['providerId', 'model'])
      if (chat.root?.getProperty(key) !== undefined) chat.root?.setProperty(key, null)
  })
}

/**
 * Undefined when the space has no provider. What a device with a key would be led away by does not count: see `isLedAway`.
 */
export function whoAnswers(
  space: Tree,
  chat: ChatChoice,
  secrets: Secrets,
  visit: Visit = unwatched,
): Answerer | undefined {
  const [providers, assistants] = [providersOf(space, visit), assistantsOf(space, visit)]
  const named = (id: string | undefined): Assistant | undefined => assistants.find((it) => it.id === id)
  const assistant = named(chat.configId) ?? named(defaultAssistantId)
  for (const wanted of [chat.model, assistant?.model]) {
    const provider = providers.find(({ id }) => id === wanted?.providerId)
    if (provider === undefined || !wanted || isLedAway(provider, providers, secrets)) continue
    return { provider, model: wanted.model, assistant }
  }
  const provider = providerToAsk(providers, secrets)
  return provider && { provider, model: provider.model, assistant }
}
