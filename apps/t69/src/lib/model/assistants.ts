import { partNamed, partsNamed } from './traces.ts'
import { edit, rootOf, textOf, unwatched, type Tree, type Vertex, type Visit } from './tree.ts'

/**
 * The assistants of a space: what a model is told before a chat, and which model that is. t69 keeps them in `app-configs`,
 * with `name`, `instructions` and `targetLLM`, which is the provider's id and the model's: `openai/gpt-4o`.
 */
export interface Assistant {
  readonly vertexId: string
  readonly id: string
  readonly title: string
  readonly instructions: string
  /** What it asks unless the chat says otherwise; null for the default. */
  readonly model: ModelChoice | null
  /** Its hue in degrees; null for none. */
  readonly hue: number | null
}

export type AssistantEntry = Omit<Assistant, 'vertexId' | 'id'>

/** A model of a provider of the space. */
export interface ModelChoice {
  readonly providerId: string
  readonly model: string
}

/** The assistant of chats that name no other. */
export const defaultAssistantId = 'default'

export function assistantsOf(tree: Tree, visit: Visit = unwatched): Assistant[] {
  if (tree.root === undefined) return []
  visit(tree.root.id)
  const seen = new Set<string>()
  return partsNamed(tree, 'app-configs').flatMap((parent) => {
    visit(parent.id)
    return parent.children.flatMap((vertex) => {
      const id = textOf(vertex, 'id')
      if (id === undefined || seen.has(id) || vertex.getProperty('visible') === false) return []
      seen.add(id)
      return [assistantIn(vertex, id)]
    })
  })
}

function assistantIn(vertex: Vertex, id: string): Assistant {
  const [hue, target] = [vertex.getProperty('hue'), textOf(vertex, 'targetLLM') ?? '']
  const [, providerId = '', model = ''] = /^([^/]+)\/(.+)$/s.exec(target) ?? []
  return {
    vertexId: vertex.id,
    id,
    title: textOf(vertex, 'title') ?? textOf(vertex, 'name') ?? id,
    instructions: textOf(vertex, 'instructions') ?? '',
    // `auto`, and a model of that name, leave the choice to t69.
    model: providerId === '' || providerId === 'auto' || model === 'auto' ? null : { providerId, model },
    hue: typeof hue === 'number' && hue >= 0 && hue < 360 ? hue : null,
  }
}

export function addAssistant(tree: Tree, entry: AssistantEntry): string {
  const id = crypto.randomUUID().replaceAll('-', '')
  edit(tree, () => partNamed(tree, rootOf(tree), 'app-configs').newChild({ id, ...propertiesOf(entry) }))
  return id
}

export function changeAssistant(tree: Tree, assistant: Assistant, entry: AssistantEntry): void {
  edit(tree, () => tree.getVertex(assistant.vertexId)?.setProperties(propertiesOf(entry)))
}

export function removeAssistant(tree: Tree, assistant: Assistant): void {
  edit(tree, () => tree.deleteVertex(assistant.vertexId))
}

function propertiesOf({ title, instructions, model, hue }: AssistantEntry) {
  return {
    title: title.toWellFormed(),
    instructions: instructions.toWellFormed(),
    targetLLM: model === null ? 'auto' : `${model.providerId}/${model.model}`.toWellFormed(),
    hue,
  }
}
