/** The providers that t69 knows by name. The ids are those of t69's data. */

/** How a provider is spoken to: OpenAI's chat completions, which most understand, or an API of its own. */
export const protocols = ['openai', 'anthropic', 'google'] as const
export type Protocol = (typeof protocols)[number]

export interface KnownProvider {
  readonly id: string
  readonly title: string
  readonly protocol: Protocol
  readonly baseUrl: string
  /** What is asked until somebody chooses; empty where that depends on what is installed. */
  readonly model: string
  /** It runs on the reader's own machine, and takes no key. */
  readonly isLocal: boolean
  /** Where people get a key. */
  readonly keysUrl: string
}

const cloud = (
  id: string,
  title: string,
  baseUrl: string,
  model: string,
  keysUrl: string,
  protocol: Protocol = 'openai',
): KnownProvider => ({ id, title, protocol, baseUrl, model, isLocal: false, keysUrl })

const local = (id: string, title: string, baseUrl: string): KnownProvider => ({
  id,
  title,
  protocol: 'openai',
  baseUrl,
  model: '',
  isLocal: true,
  keysUrl: '',
})

export const knownProviders: readonly KnownProvider[] = [
  cloud(
    'openrouter',
    'OpenRouter',
    'https://openrouter.ai/api/v1',
    'openrouter/auto',
    'https://openrouter.ai/settings/keys',
  ),
  cloud('openai', 'OpenAI', 'https://api.openai.com/v1', 'gpt-4o', 'https://platform.openai.com/api-keys'),
  cloud(
    'anthropic',
    'Anthropic',
    'https://api.anthropic.com/v1',
    'claude-sonnet-4-20250514',
    'https://console.anthropic.com/settings/keys',
    'anthropic',
  ),
  cloud(
    'google',
    'Google',
    'https://generativelanguage.googleapis.com/v1beta',
    'gemini-2.5-flash',
    'https://aistudio.google.com/apikey',
    'google',
  ),
  cloud(
    'groq',
    'Groq',
    'https://api.groq.com/openai/v1',
    'llama-3.3-70b-versatile',
    'https://console.groq.com/keys',
  ),
  cloud(
    'mistral',
    'Mistral',
    'https://api.mistral.ai/v1',
    'mistral-large-latest',
    'https://console.mistral.ai/api-keys',
  ),
  cloud(
    'deepseek',
    'DeepSeek',
    'https://api.deepseek.com/v1',
    'deepseek-chat',
    'https://platform.deepseek.com/api_keys',
  ),
  cloud('xai', 'xAI', 'https://api.x.ai/v1', 'grok-4', 'https://console.x.ai'),
  cloud(
    'cohere',
    'Cohere',
    'https://api.cohere.ai/compatibility/v1',
    'command-a-03-2025',
    'https://dashboard.cohere.com/api-keys',
  ),
  local('ollama', 'Ollama', 'http://localhost:11434/v1'),
  local('lmstudio', 'LM Studio', 'http://localhost:1234/v1'),
]

export function knownProvider(id: string): KnownProvider | undefined {
  return knownProviders.find((known) => known.id === id)
}
