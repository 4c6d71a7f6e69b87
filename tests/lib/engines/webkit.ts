import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { findInPath, isExecutable } from '../find-in-path.ts'
import { freePort } from '../server-process.ts'
import { createDrivenPage } from './driven-page.ts'
import type { Engine, LaunchOptions } from './engine.ts'
import type { Key, Point, Tab } from './tab.ts'
import { startSession, type WebDriver } from './web-driver.ts'

/**
 * The system's WebKit, the engine of Safari, over WebDriver, in the small browser that comes with it. Its windows are on
 * a screen that nobody sees. While it is driven, it keeps nothing on disk.
 */
export const webKit: Engine = {
  name: 'WebKit',
  async missing() {
    if ((await findInPath(['WebKitWebDriver'])) === undefined || (await findMiniBrowser()) === undefined)
      return 'WebKit with its driver (Debian: webkit2gtk-driver)'
    return (await findInPath(['Xvfb'])) === undefined ? 'Xvfb, a screen for WebKit (Debian: xvfb)' : undefined
  },
  keepsProfiles: false,
  launch,
}

/** Where Debian and others put it: /usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser. */
async function findMiniBrowser(): Promise<string | undefined> {
  for (const folder of ['/usr/lib', `/usr/lib/${triplets[process.arch] ?? ''}`, '/usr/libexec']) {
    for (const name of (await readdir(folder).catch(() => [])).toSorted((a, b) => b.localeCompare(a))) {
      const path = join(folder, name, 'MiniBrowser')
      if (name.startsWith('webkit') && (await isExecutable(path))) return path
    }
  }
  return undefined
}
const triplets: Readonly<Record<string, string>> = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' }

/** As in a browser whose user has blocked all site data. */
const noStorage = ['--enable-html5-database=false', '--enable-html5-local-storage=false']

async function launch({ profileDir, refusesStorage = false }: LaunchOptions) {
  await using stack = new AsyncDisposableStack()
  const display = await startScreen(stack)
  const port = await freePort()
  const driver = spawn('WebKitWebDriver', [`--port=${port}`], {
    detached: true,
    stdio: 'ignore',
    env: {
      ...process.env,
      HOME: profileDir,
      XDG_RUNTIME_DIR: profileDir,
      DISPLAY: display,
      NO_AT_BRIDGE: '1',
      GDK_BACKEND: 'x11',
      LIBGL_ALWAYS_SOFTWARE: '1',
    },
  })
  stack.defer(() => endGroup(driver))
  const url = `http://127.0.0.1:${port}`
  await untilUp(url, driver)
  const session = await startSession(url, {
    'webkitgtk:browserOptions': {
      binary: await findMiniBrowser(),
      args: ['--automation', ...(refusesStorage ? noStorage : [])],
    },
  })
  const resources = stack.move()
  // The session begins with a window.
  let spare: unknown = await session.command('GET', '/window')
  return {
    version: session.version,
    async newPage() {
      const handle = spare ?? (await openWindow(session))
      spare = undefined
      return createDrivenPage(tabOf(session, String(handle)))
    },
    // They are noted by the pages alone.
    errors: () => [],
    async [Symbol.asyncDispose]() {
      await session.command('DELETE', '').catch(() => {})
      await resources.disposeAsync()
    },
  }
}

async function openWindow(session: WebDriver): Promise<unknown> {
  const opened = await session.command('POST', '/window/new', { type: 'tab' })
  return typeof opened === 'object' && opened !== null && 'handle' in opened ? opened.handle : undefined
}

/** An X server without a screen. It chooses its number itself. */
async function startScreen(stack: AsyncDisposableStack): Promise<string> {
  const args = ['-displayfd', '3', '-screen', '0', '1280x1024x24', '-nolisten', 'tcp']
  const screen = spawn('Xvfb', args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'], detached: true })
  stack.defer(() => endGroup(screen))
  const [, , , numbers] = screen.stdio
  if (numbers === null || numbers === undefined || !('read' in numbers)) throw new Error('Xvfb has no pipe')
  const [number] = await once(numbers, 'data', { signal: AbortSignal.timeout(30_000) })
  return `:${String(number).trim()}`
}

/** Ends a process with all that it started. */
async function endGroup(leader: ChildProcess): Promise<void> {
  if (leader.pid === undefined || leader.exitCode !== null || leader.signalCode !== null) return
  const gone = once(leader, 'exit')
  process.kill(-leader.pid, 'SIGKILL')
  await gone
}

async function untilUp(url: string, driver: ChildProcess): Promise<void> {
  while (driver.exitCode === null) {
    const isUp = await fetch(`${url}/status`).then(
      ({ ok }) => ok,
      () => false,
    )
    if (isUp) return
    await pause(50)
  }
  throw new Error(`WebKitWebDriver ended with ${driver.exitCode}`)
}

/** https://www.w3.org/TR/webdriver2/#keyboard-actions */
const codes: Readonly<Record<Key, string>> = { Backspace: '\uE003', Enter: '\uE007', Escape: '\uE00C' }

function tabOf(session: WebDriver, handle: string): Tab {
  const send = (path: string, body: object) =>
    session.inWindow(handle, () => session.command('POST', path, body))
  const act = async (type: 'key' | 'pointer', actions: readonly object[]): Promise<void> => {
    await send('/actions', { actions: [{ type, id: type, actions }] })
  }
  const move = ({ x, y }: Point) => ({ type: 'pointerMove', duration: 0, origin: 'viewport', x, y })
  const strokes = (text: string) =>
    Array.from(text).flatMap((value) => [
      { type: 'keyDown', value },
      { type: 'keyUp', value },
    ])
  return {
    goto: async (url) => void (await send('/url', { url })),
    reload: async () => void (await send('/refresh', {})),
    async run(source, args) {
      const script = `
        const [args, done] = arguments
        Promise.resolve().then(() => (${source}).apply(null, args)).then(
          (value) => done({ value }),
          (error) => done({ error: String(error) }))`
      const reply = await send('/execute/async', { script, args: [args] })
      if (typeof reply !== 'object' || reply === null) throw new Error('the page gave no answer')
      if ('error' in reply) throw new Error(String(reply.error))
      return 'value' in reply ? reply.value : undefined
    },
    // Switching to the window does.
    toFront: async () => {},
    moveTo: (point) => act('pointer', [move(point)]),
    clickAt: (point) =>
      act('pointer', [move(point), { type: 'pointerDown', button: 0 }, { type: 'pointerUp', button: 0 }]),
    type: (text) => act('key', strokes(text)),
    press: (key) => act('key', strokes(codes[key])),
    async picture() {
      const encoded = await session.inWindow(handle, () => session.command('GET', '/screenshot'))
      return Buffer.from(String(encoded), 'base64')
    },
    close: async () => void (await session.inWindow(handle, () => session.command('DELETE', '/window'))),
  }
}
