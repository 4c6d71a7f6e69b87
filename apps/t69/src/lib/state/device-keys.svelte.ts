import {
  consentOf,
  oldKeysToBind,
  oldSecretKeyOf,
  secretKeyOf,
  secretKeyPrefixOf,
  type Provider,
  type Secrets,
} from '../model/providers.ts'
import { deleteSecret, readSecrets, saveSecret } from './device-storage.ts'

/** The keys that this device has for the providers of a space. They are stored in this browser, and nowhere else. */
export class DeviceKeys {
  secrets = $state.raw<Secrets>(new Map())
  readonly #spaceId: string
  /** What somebody chose here, also where the browser refuses storage. */
  readonly #consents = new Map<string, string>()

  constructor(spaceId: string) {
    this.#spaceId = spaceId
  }

  /** Reads them again: another tab may have changed them. */
  async refresh(): Promise<Secrets> {
    this.secrets = new Map([...(await readSecrets(this.#spaceId)), ...this.#consents])
    return this.secrets
  }

  /** Keeps a key for the address that the provider has now. Throws where the browser refuses storage. */
  async save(provider: Pick<Provider, 'id' | 'baseUrl'>, key: string): Promise<void> {
    await saveSecret(this.#spaceId, secretKeyOf(provider), key.trim())
    await this.refresh()
  }

  /** Somebody here chose to ask a provider at the address that it has now. */
  allow(provider: Pick<Provider, 'baseUrl'>): void {
    const name = consentOf(provider)
    if (this.secrets.has(name)) return
    this.#consents.set(name, 'yes')
    this.secrets = new Map([...this.secrets, [name, 'yes']])
    void saveSecret(this.#spaceId, name, 'yes').catch(() => undefined)
  }

  /** Removes all keys for a provider, at whatever address. */
  async remove(provider: Provider): Promise<void> {
    const isOf = (name: string): boolean =>
      name.startsWith(secretKeyPrefixOf(provider)) || name === oldSecretKeyOf(provider)
    for (const name of this.secrets.keys()) if (isOf(name)) await deleteSecret(this.#spaceId, name)
    await this.refresh()
  }

  /** Lets keys that t69 kept work on, in a space that nobody but this device can have changed. */
  async adopt(providers: readonly Provider[]): Promise<void> {
    for (const [name, key] of oldKeysToBind(providers, this.secrets))
      await saveSecret(this.#spaceId, name, key).catch(() => undefined)
    await this.refresh()
  }
}
