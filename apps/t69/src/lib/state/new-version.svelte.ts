/** How long after its start a page that nobody has used reloads by itself, in ms. Somebody reads a page that is older. */
const startingMs = 30_000
/** When this tab last reloaded by itself. */
const reloadedKey = 't69-reloaded'
/** How long a tab does not reload by itself again, in ms: servers of two versions that answer in turn would have it do so for ever. */
const restMs = 600_000
/** How long after its start a page has the worker keep the files that were not needed yet, in ms. */
const quietMs = 15_000

/**
 * A newer version of the app. The service worker opens the page from what it has stored, so the first page after a
 * deploy is the old one. The new worker is installed meanwhile, and takes over: from then on, a reload opens the new
 * version. A page that has just started, and that nobody has clicked or typed in, does that reload itself, once. In any
 * other, people are offered it, and the page goes on with its own version until then: see src/service-worker.js.
 */
export class NewVersion {
  isReady = $state(false)
  #registration: ServiceWorkerRegistration | undefined
  #isUsed = false

  /** Registers the service worker at this address. */
  async register(script: URL): Promise<void> {
    const { serviceWorker } = navigator
    // The first worker brings the version that runs.
    let isUpdate = serviceWorker.controller !== null
    serviceWorker.addEventListener('controllerchange', () => {
      if (isUpdate) this.#found()
      isUpdate = true
    })
    // `navigator.userActivation` remembers clicks from before a reload.
    for (const use of ['pointerdown', 'keydown'])
      addEventListener(use, () => (this.#isUsed = true), { capture: true, once: true })
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.look()
    })
    // A file of this version is gone from the server: there must be a newer one.
    addEventListener('vite:preloadError', () => this.look())
    // Browsers that refuse storage refuse locks, and keep no version either.
    void holdVersion().catch(() => undefined)
    this.#registration = await serviceWorker.register(script, { updateViaCache: 'none' })
    const { active } = await serviceWorker.ready
    if (active !== null) keep(active)
  }

  /** Looks for a newer version: browsers do so only when a page is opened. */
  look(): void {
    // Fails without a network.
    this.#registration?.update().catch(() => undefined)
  }

  #found(): void {
    const isStarting = performance.now() < startingMs && !this.#isUsed
    if (isStarting && mayReload()) {
      location.reload()
      return
    }
    this.isReady = true
  }
}

/**
 * Has the worker keep what this page has loaded, which was before its time in a first visit; and later the rest, so that
 * it is there without a network, and after a deploy.
 */
function keep(worker: ServiceWorker): void {
  const tell = (everything: boolean): void => {
    const loaded = performance.getEntriesByType('resource').map(({ name }) => name)
    worker.postMessage({ loaded, everything })
  }
  tell(false)
  // What a first visit loads until the worker serves it passes the worker by.
  if (navigator.serviceWorker.controller === null)
    navigator.serviceWorker.addEventListener('controllerchange', () => tell(false), { once: true })
  setTimeout(() => tell(!savesData()), quietMs)
}

/** Whether somebody asked the browser to load as little as it can. Only Chromium says so. */
function savesData(): boolean {
  const connection: unknown = Reflect.get(navigator, 'connection')
  if (typeof connection !== 'object' || connection === null) return false
  return 'saveData' in connection && connection.saveData === true
}

/** Notes that this tab reloads by itself now. False if it did so lately, or where the browser refuses the note. */
function mayReload(): boolean {
  try {
    if (Date.now() - Number(sessionStorage.getItem(reloadedKey)) <= restMs) return false
    sessionStorage.setItem(reloadedKey, String(Date.now()))
    return true
  } catch {
    return false
  }
}

/**
 * Holds a lock until the page is gone. It names the script that no other version has, by which the worker knows that the
 * version is in use.
 */
async function holdVersion(): Promise<void> {
  const entry = document.querySelector<HTMLScriptElement>('script[type=module]')?.src ?? ''
  await navigator.locks.request(`t69-page ${entry}`, { mode: 'shared' }, () => new Promise(() => {}))
}
