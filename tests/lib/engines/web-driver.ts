/** One session of a browser, over WebDriver (https://www.w3.org/TR/webdriver2/). Commands go one after the other. */
export interface WebDriver {
  readonly version: string
  /** Sends a command about the session. Rejects with the browser's message. */
  command(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<unknown>
  /** Sends commands to one of the session's windows, with none in between that another one gets. */
  inWindow<T>(handle: string, send: () => Promise<T>): Promise<T>
}

/** How long the browser has for a command, in ms. One that it does not answer fails the story, which has a longer time. */
const commandTimeoutMs = 30_000

export async function startSession(driverUrl: string, capabilities: object): Promise<WebDriver> {
  async function send(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${driverUrl}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(commandTimeoutMs),
    }).catch((reason: unknown) => {
      throw new Error(`${method} ${path}: ${String(reason)}`, { cause: body })
    })
    const reply: unknown = await response.json()
    const value = isRecord(reply) ? reply['value'] : undefined
    if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(value)}`)
    return value
  }

  const session = await send('POST', '/session', { capabilities: { alwaysMatch: capabilities } })
  if (!isRecord(session) || !isRecord(session['capabilities'])) throw new Error('there is no session')
  const base = `/session/${String(session['sessionId'])}`
  let last: Promise<unknown> = Promise.resolve()
  return {
    version: String(session['capabilities']['browserVersion']),
    command: (method, path, body) => send(method, `${base}${path}`, body),
    async inWindow(handle, then) {
      const done = last.then(async () => {
        await send('POST', `${base}/window`, { handle })
        return await then()
      })
      last = done.catch(() => {})
      return await done
    },
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
