import { connectionText, type Connection } from '../../../model/connection-text.ts'
import type { KnownProvider, Protocol } from '../../../model/known-providers.ts'
import { addressFrom, hostOf, isSameServer } from '../../../model/provider-address.ts'
import type { Provider, ProviderEntry } from '../../../model/providers.ts'
import { tryProvider } from '../../../provider-api/try-provider.ts'

/** What somebody enters of a provider, before it is saved. */
export class ProviderDraft {
  title = $state('')
  address = $state('')
  model = $state('')
  key = $state('')
  /** Why it cannot be saved or asked. */
  problem = $state<string | null>(null)
  connection = $state.raw<Connection | null>(null)
  isTrying = $state(false)
  readonly models = $derived(this.connection?.kind === 'works' ? this.connection.models : [])
  readonly protocol: Protocol
  readonly known: KnownProvider | undefined
  readonly #before: Provider | undefined

  /** Of a known provider, of one that is there already, or of one at any other address. */
  constructor(from: { readonly known?: KnownProvider | undefined; readonly provider?: Provider }) {
    const { known, provider } = from
    this.known = known
    this.#before = provider
    this.title = provider?.title ?? known?.title ?? ''
    this.address = provider?.baseUrl ?? known?.baseUrl ?? ''
    this.model = provider?.model ?? known?.model ?? ''
    this.protocol = provider?.protocol ?? known?.protocol ?? 'openai'
  }

  /** What is to be saved under an id. Null for what cannot be, which `problem` then says. */
  entry(id: string): ProviderEntry | null {
    const baseUrl = addressFrom(this.address)
    this.problem = baseUrl === null ? 'That is no address. One looks like https://api.example.org/v1.' : null
    if (baseUrl === null) return null
    const before = this.#before
    return {
      id,
      title: this.title.trim() || hostOf(baseUrl),
      protocol: this.protocol,
      baseUrl,
      model: this.model.trim(),
      needsKey: this.key.trim() !== '' || (before?.needsKey ?? this.known?.isLocal === false),
    }
  }

  /**
   * Asks for the models, with the key that was entered, or `key`, which was for the address before: it goes to no other server.
   */
  async try(key: string | undefined): Promise<void> {
    const entry = this.entry('')
    if (entry === null) return
    this.isTrying = true
    const entered = this.key.trim()
    const before = this.#before?.baseUrl ?? this.known?.baseUrl ?? ''
    const kept = isSameServer(entry.baseUrl, before) ? key : undefined
    const asked = {
      provider: { ...entry, headers: this.#before?.headers ?? {} },
      key: entered === '' ? kept : entered,
    }
    const { connection, baseUrl } = await tryProvider(asked)
    this.isTrying = false
    // Another address was entered meanwhile.
    if (addressFrom(this.address) !== entry.baseUrl) return
    this.connection = connection
    if (connection.kind !== 'works') return
    this.address = baseUrl
    if (this.model === '') this.model = connection.models[0] ?? ''
  }

  /** What came of it, in words. */
  get told(): string | null {
    if (this.problem !== null) return this.problem
    if (this.connection === null) return null
    const baseUrl = addressFrom(this.address) ?? this.address
    return connectionText(
      this.connection,
      { baseUrl, model: this.model.trim() },
      location.protocol === 'https:',
    )
  }
}
