import { childNamed, childrenNamed, edit, rootOf, textOf } from './tree.ts'
import { unwatched, type Tree, type Visit } from './tree.ts'

/** An AI provider that speaks OpenAI's protocol. Its key is a secret of each device and never in a tree. */
export interface Provider {
  readonly vertexId: string
  readonly id: string
  readonly title: string
  readonly baseUrl: string
  readonly model: string
}

/**
 * Names the secret that is the provider's key. Everybody who may edit the space can write another address into
 * it, and would be sent the key, were it not kept for the address that it was entered for.
 */
export function secretKeyOf(provider: Pick<Provider, 'id' | 'baseUrl'>): string {
  return secretKeysOf(provider) + provider.baseUrl
}

/** What the names of all keys begin with that were entered for a provider, whatever its address was. */
export function secretKeysOf({ id }: Pick<Provider, 'id'>): string {
  return `api-key-${encodeURIComponent(id)}@`
}

/**
 * The provider that a device asks: the first that it has a key for, before one that others put in front of it.
 * `secrets` are this device's, by name. Undefined where there is none.
 */
export function providerToAsk(
  providers: readonly Provider[],
  secrets: ReadonlyMap<string, string>,
): Provider | undefined {
  const hasKey = (provider: Provider): boolean => secrets.has(secretKeyOf(provider))
  return providers.find(hasKey) ?? providers.find((it) => hadKey(it, secrets)) ?? providers[0]
}

/** A key was entered here for the provider, whatever its address was. */
export function hadKey(provider: Provider, secrets: ReadonlyMap<string, string>): boolean {
  return Array.from(secrets.keys()).some((name) => name.startsWith(secretKeysOf(provider)))
}

/** Providers that can be asked as they are; t69's own of other kinds stay in the tree, unread. */
export function providersOf(tree: Tree, visit: Visit = unwatched): Provider[] {
  if (tree.root === undefined) return []
  visit(tree.root.id)
  return childrenNamed(tree.root, 'providers').flatMap((parent) => {
    visit(parent.id)
    return parent.children.flatMap((vertex) => {
      const [id, baseUrl, model] = [textOf(vertex, 'id'), textOf(vertex, 'baseUrl'), textOf(vertex, 'model')]
      if (id === undefined || baseUrl === undefined || model === undefined) return []
      return [{ vertexId: vertex.id, id, title: textOf(vertex, 'title') ?? id, baseUrl, model }]
    })
  })
}

export function addProvider(tree: Tree, provider: Omit<Provider, 'vertexId'>): void {
  edit(tree, () => childNamed(rootOf(tree), 'providers').newChild({ ...provider, type: 'openai-compatible' }))
}

export function removeProvider(tree: Tree, provider: Provider): void {
  edit(tree, () => tree.deleteVertex(provider.vertexId))
}
