import type { Turn } from '../model/chat-history.ts'
import type { Provider } from '../model/providers.ts'

/** What a provider is asked. */
export interface Ask {
  readonly provider: Pick<Provider, 'protocol' | 'baseUrl' | 'headers'>
  readonly model: string
  readonly key: string | undefined
  /** What the assistant is told to do; empty for nothing. */
  readonly instructions: string
  /** People and the model, in turn. The first and the last are of people. */
  readonly turns: readonly Turn[]
}

/** A piece of an answer, as it comes. */
export type Piece =
  | { readonly kind: 'text' | 'thinking' | 'refusal'; readonly text: string }
  /** The model said why it ends. */
  | { readonly kind: 'end'; readonly why: 'done' | 'length' | 'filter' }

/** How a provider is spoken to. */
export interface ProviderApi {
  /** The request for an answer that streams. `baseUrl` is without a slash at its end. */
  request(
    ask: Ask,
    baseUrl: string,
  ): { readonly url: string; readonly headers: Record<string, string>; readonly body: object }
  /** What a part of a stream says, or an answer that came whole. */
  piecesOf(answer: unknown): Piece[]
  /** The headers that carry the key. */
  keyHeaders(key: string): Record<string, string>
  /** The models in the provider's list of them. */
  modelsIn(list: unknown): string[]
}
