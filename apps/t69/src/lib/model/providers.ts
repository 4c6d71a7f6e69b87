import { knownProvider, protocols, type Protocol } from './known-providers.ts'
import { withoutSlashes } from './provider-address.ts'
import { partNamed, partsNamed } from './traces.ts'
import { edit, rootOf, textOf, unwatched, type Tree, type Vertex, type Visit } from './tree.ts'

/**
 * An AI provider of a space, which all its members see. Its key is a secret of each device, and never in a tree. Those of
 * t69 are read where they lie: `{id: 'openai', type: 'cloud'}`, whose address is known by its id; `{type: 'local', apiUrl}`;
 * and people's own, `{id: 'custom-…', name, baseApiUrl, modelId, customHeaders}`.
 */
export interface Provider {
  readonly vertexId: string
  readonly id: string
  readonly title: string
  readonly protocol: Protocol
  readonly baseUrl: string
  /** What it is asked for unless somebody chooses another; empty for the first one that it lists. */
  readonly model: string
  /** It was set up with a key: without one, nothing is sent to it. */
  readonly needsKey: boolean
  readonly headers: Readonly<Record<string, string>>
}

/** What people say of a provider. */
export type ProviderEntry = Pick<Provider, 'id' | 'title' | 'protocol' | 'baseUrl' | 'model' | 'needsKey'>

/** The secrets of a space on this device, by name. */
export type Secrets = ReadonlyMap<string, string>

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

/** The name that t69 keeps a provider's key under, for no address in particular. */
export function oldSecretKeyOf({ id }: Pick<Provider, 'id'>): string {
  return `api-key-${id}`
}

/** This device's key for a provider at the address that it has now; undefined when there is none. */
export function keyOf(provider: Provider, secrets: Secrets): string | undefined {
  const known = knownProvider(provider.id)
  // A key of t69 was entered for the one address that its provider has.
  const isAtHome = known !== undefined && known.baseUrl === provider.baseUrl
  const key =
    secrets.get(secretKeyOf(provider)) ?? (isAtHome ? secrets.get(oldSecretKeyOf(provider)) : undefined)
  return key === '' ? undefined : key
}

/**
 * The names and values of keys that t69 kept for providers at addresses of people's own, each bound to the address that the
 * provider has now. Only for a space that was never shared: nobody else can have changed an address of it.
 */
export function oldKeysToBind(providers: readonly Provider[], secrets: Secrets): [string, string][] {
  return providers.flatMap((provider): [string, string][] => {
    const key = secrets.get(oldSecretKeyOf(provider))
    if (key === undefined || hadKey(provider, secrets)) return []
    return [[secretKeyOf(provider), key]]
  })
}

/**
 * The provider that this device asks: the first that it has a key for, even when others have put one in front of
 * it; else the first that it had a key for at another address; else the first. Undefined when there is none.
 */
export function providerToAsk(providers: readonly Provider[], secrets: Secrets): Provider | undefined {
  const hasKey = (provider: Provider): boolean => keyOf(provider, secrets) !== undefined
  return providers.find(hasKey) ?? providers.find((it) => hadKey(it, secrets)) ?? providers[0]
}

/** Whether a key was entered on this device for the provider, at any address. */
export function hadKey(provider: Provider, secrets: Secrets): boolean {
  return Array.from(secrets.keys()).some((name) => name.startsWith(secretKeyPrefixOf(provider)))
}

/** What keeps this device from asking a provider; null when nothing does. */
export function keyProblem(provider: Provider, secrets: Secrets): 'missing' | 'moved' | null {
  if (keyOf(provider, secrets) !== undefined) return null
  if (hadKey(provider, secrets)) return 'moved'
  return provider.needsKey ? 'missing' : null
}

/** The name of what says that somebody on this device chose to ask this address. It is no secret, but as much the device's own. */
export function consentOf({ baseUrl }: Pick<Provider, 'baseUrl'>): string {
  return `asks@${baseUrl}`
}

/**
 * Whether a choice that a chat or an assistant keeps would lead this device, which has a key for a provider, to an address
 * that takes none and that nobody here chose: anyone who can edit the space can have made the choice, and the address.
 */
export function isLedAway(provider: Provider, providers: readonly Provider[], secrets: Secrets): boolean {
  if (keyProblem(provider, secrets) !== null || keyOf(provider, secrets) !== undefined) return false
  return !secrets.has(consentOf(provider)) && providers.some((it) => keyOf(it, secrets) !== undefined)
}

/** The providers of a space that can be asked, in the order that people gave them. The first is the default. */
export function providersOf(tree: Tree, visit: Visit = unwatched): Provider[] {
  if (tree.root === undefined) return []
  visit(tree.root.id)
  const vertices = partsNamed(tree, 'providers').flatMap((parent) => {
    visit(parent.id)
    return parent.children
  })
  const seen = new Set<string>()
  return vertices
    .map((vertex, index) => ({ vertex, order: orderOf(vertex) ?? index }))
    .toSorted((a, b) => a.order - b.order)
    .flatMap(({ vertex }) => providerIn(vertex) ?? [])
    .filter(({ id, baseUrl, model }) => {
      // t69 adds a provider again with each new key.
      const content = JSON.stringify([id, baseUrl, model])
      return seen.size < seen.add(content).size
    })
}

function orderOf(vertex: Vertex): number | undefined {
  const order = vertex.getProperty('order')
  return typeof order === 'number' && Number.isFinite(order) ? order : undefined
}

function providerIn(vertex: Vertex): Provider | undefined {
  const id = textOf(vertex, 'id')
  if (id === undefined) return undefined
  const known = knownProvider(id)
  const apiUrl = textOf(vertex, 'apiUrl')
  const localUrl = apiUrl === undefined ? undefined : `${withoutSlashes(apiUrl)}/v1`
  const baseUrl = textOf(vertex, 'baseUrl') ?? textOf(vertex, 'baseApiUrl') ?? localUrl ?? known?.baseUrl
  const model = textOf(vertex, 'model') ?? textOf(vertex, 'modelId') ?? known?.model
  if (baseUrl === undefined || model === undefined) return undefined
  const said = textOf(vertex, 'protocol')
  return {
    vertexId: vertex.id,
    id,
    title: textOf(vertex, 'title') ?? textOf(vertex, 'name') ?? known?.title ?? id,
    protocol:
      protocols.find((it) => it === said) ??
      (known?.baseUrl === baseUrl ? known.protocol : undefined) ??
      'openai',
    baseUrl,
    model,
    needsKey: vertex.getProperty('needsKey') === true || (known?.baseUrl === baseUrl && !known.isLocal),
    headers: headersIn(vertex),
  }
}

function headersIn(vertex: Vertex): Record<string, string> {
  const value = vertex.getProperty('customHeaders')
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {}
  // What no header can be would let no request out.
  const sendable = Object.entries(value).filter(
    (entry): entry is [string, string] =>
      /^[\w-]+$/.test(entry[0]) && typeof entry[1] === 'string' && /^[\x20-\x7e]*$/.test(entry[1]),
  )
  return Object.fromEntries(sendable)
}

/** Adds a provider in front of the others: whoever sets one up wants to ask it. */
export function addProvider(tree: Tree, entry: ProviderEntry): void {
  edit(tree, () => {
    const orders = partsNamed(tree, 'providers').flatMap(({ children }) => children.map(orderOf))
    const order = orders.reduce<number>((least, it) => Math.min(least, it ?? 0), 0) - 1
    const parent = partNamed(tree, rootOf(tree), 'providers')
    parent.newChild({ ...propertiesOf(entry), type: typeOf(entry), order })
  })
}

/** Changes what people say of a provider. */
export function changeProvider(tree: Tree, provider: Provider, entry: ProviderEntry): void {
  edit(tree, () => tree.getVertex(provider.vertexId)?.setProperties(propertiesOf(entry)))
}

/** The kind of a provider, in t69's words. */
function typeOf({ id, baseUrl }: ProviderEntry): string {
  const known = knownProvider(id)
  if (known?.baseUrl !== baseUrl) return 'openai-compatible'
  return known.isLocal ? 'local' : 'cloud'
}

function propertiesOf({ id, title, protocol, baseUrl, model, needsKey }: ProviderEntry) {
  return {
    id: id.toWellFormed(),
    title: title.toWellFormed(),
    protocol,
    baseUrl: baseUrl.toWellFormed(),
    model: model.toWellFormed(),
    needsKey,
  }
}

/** Puts a provider at a place among the others: 0 makes it the default. */
export function moveProvider(tree: Tree, provider: Provider, to: number): void {
  const others = providersOf(tree).filter((it) => it.vertexId !== provider.vertexId)
  const inOrder = others.toSpliced(Math.max(0, to), 0, provider)
  edit(tree, () => {
    for (const [order, { vertexId }] of inOrder.entries()) {
      const vertex = tree.getVertex(vertexId)
      if (vertex && orderOf(vertex) !== order) vertex.setProperty('order', order)
    }
  })
}

export function removeProvider(tree: Tree, provider: Provider): void {
  edit(tree, () => tree.deleteVertex(provider.vertexId))
}

/** An id for a new provider: that of a known one if no other has it. */
export function newProviderId(providers: readonly Provider[], wanted: string | undefined): string {
  if (wanted !== undefined && !providers.some(({ id }) => id === wanted)) return wanted
  return `custom-${crypto.randomUUID().replaceAll('-', '')}`
}
