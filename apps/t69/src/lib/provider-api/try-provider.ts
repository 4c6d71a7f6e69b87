import type { Connection } from '../model/connection-text.ts'
import type { Ask } from './ask.ts'
import { Refusal } from './refusal.ts'

/** How long a provider may take to list its models, in ms. */
const patienceMs = 10_000

/** Asks a provider which models it has. Never throws. */
export async function tryProvider(
  asked: Pick<Ask, 'provider' | 'key'>,
): Promise<{ readonly connection: Connection; readonly baseUrl: string }> {
  try {
    const { listModels } = await import('./completion.ts')
    const { models, baseUrl } = await listModels(asked, AbortSignal.timeout(patienceMs))
    return { connection: { kind: 'works', models }, baseUrl }
  } catch (error) {
    const { baseUrl } = asked.provider
    if (!(error instanceof Refusal)) return { connection: { kind: 'unreachable' }, baseUrl }
    return { connection: { kind: 'refused', status: error.status, words: error.words }, baseUrl }
  }
}
