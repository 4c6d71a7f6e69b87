import { hostOf } from './provider-address.ts'

/** What came of asking a provider for its models. */
export type Connection =
  | { readonly kind: 'works'; readonly models: readonly string[] }
  | { readonly kind: 'refused'; readonly status: number | undefined; readonly words: string }
  | { readonly kind: 'unreachable' }

/** A connection in words: whether it works, and what to do if not. */
export function connectionText(
  connection: Connection,
  asked: { readonly baseUrl: string; readonly model: string },
  isSecurePage: boolean,
): string {
  const host = hostOf(asked.baseUrl)
  switch (connection.kind) {
    case 'works':
      return worksText(connection.models, asked.model)
    case 'refused':
      return refusedText(connection, host)
    case 'unreachable':
      // Browsers let no page over HTTPS ask an address without it, except on the same machine.
      if (isSecurePage && asked.baseUrl.startsWith('http:') && !/^(?:localhost|127\.)/.test(host))
        return `This page came over HTTPS, and a browser lets it ask no address without it. Give ${host} HTTPS too.`
      return `There is no way to ${host} from this page. It may not be running, or not allow this page to ask it (CORS).`
  }
}

function worksText(models: readonly string[], model: string): string {
  if (models.length === 0) return 'It answers, but lists no models.'
  if (model === '' || models.includes(model)) return `It works, and has ${models.length} models.`
  return `It answers, but “${model}” is not among its ${models.length} models.`
}

function refusedText({ status, words }: { status: number | undefined; words: string }, host: string): string {
  if (status === 401 || status === 403)
    return words === '' ? `${host} does not accept the key.` : `${host} does not accept the key: ${words}`
  if (status === 404)
    return `${host} answers, but not as an AI provider at this address. It may lack its path, such as /v1.`
  return words === '' ? `${host} answered with error ${status ?? ''}.` : `${host} refused: ${words}`
}
