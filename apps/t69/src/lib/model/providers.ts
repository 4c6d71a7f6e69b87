import { childNamed, childrenNamed, edit, rootOf, textOf } from './tree.ts'
import { unwatched, type Tree, type Visit } from './tree.ts'

/** An AI provider that is compatible with OpenAI's API. Its key is a secret of each device, and never in a tree. */
export interface Provider {
  readonly vertexId: string
  readonly id: string
  readonly title: string
  readonly baseUrl: string
  readonly model: string
}

/**
 * The name of the secret that holds the provider's key. It includes the address that the key was entered for:
 * anyone who can edit the space can change the provider's address, and must not be sent the key.
 */
export function secretKeyOf(provider: Pick<Provider, 'id' | 'baseUrl'>): string {
  return secretKeyPrefixOf(provider) + provider.baseUrl
}

/** The prefix of the names of all keys that were entered for a provider, at any address. */
export function secretKeyPrefixOf({ id }: Pick<Provider, 'id'>): string {
  return `api-key-${encodeURIComponent(id)}@`
}

/**
 * The provider that this device asks: the first that it has a key for, even when others have put one in front of
 * it; else the first that it had a key for at another address; else the first. Undefined when there is none.
 * `secrets` are this device's, by name.
 */
export function providerToAsk(
  providers: readonly Provider[],
  secrets: ReadonlyMap<string, string>,
): Provider | undefined {
  const hasKey = (provider: Provider): boolean => secrets.has(secretKeyOf(provider))
  return providers.find(hasKey) ?? providers.find((it) => hadKey(it, secrets)) ?? providers[0]
}

/** Whether a key was entered on this device for the provider, at any address. */
export function hadKey(provider: Provider, secrets: ReadonlyMap<string, string>): boolean {
  return Array.from(secrets.keys()).some((name) => name.startsWith(secretKeyPrefixOf(provider)))
}

/** The providers that name an address and a model. The other kinds that t69 knows stay in the tree, unread. */
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
