// Keeps the app's own files, so that the page opens without a network. The build fills in the three constants. Data,
// /api and the socket never pass through here. All paths are relative to the folder of this file, where the app is.
//
// A version is installed with what the first screen needs, and with all that this device had of the version before, so
// that what has once been loaded opens without a network. The rest is kept when it is loaded, and when the page has
// nothing better to do (`keep` of new-version.svelte.ts).
//
// A page is served whole from one version. A new version takes over at once and serves the next page; those that are
// open go on with the files of their own version, whose names change with the content, from the cache of that version.
// It stays until no page of it is open (docs/decisions/0059-an-open-page-keeps-its-version.md).
const version = '%VERSION%'
const first = [/* %FIRST% */]
const rest = [/* %REST% */]

const base = new URL('./', location.href)
const cachePrefix = `t69-shell-${base.pathname}-`
const cacheName = `${cachePrefix}${version}`
/** The app's own addresses. Below them may be another app of the same machine. */
const pages = /^(?:index\.html|invite\/[^/]+\/?|admin(?:\/.*)?)?$/
/** A path that changes with the content of the file. */
const isNamedByContent = (path) => path.startsWith('assets/') || /\?v=\w+$/.test(path)
/** What a file is called in every version: its path without what changes with the content. */
const nameOf = (path) => path.replace(/-[\w-]{8}(?=\.\w+$)/, '').replace(/\?v=\w+$/, '')
const pathOf = (url) => url.slice(base.href.length)

/** Whether the cache is of an earlier version of the app at this address; the first ones did not name it. */
const isOld = (name) =>
  name !== cacheName &&
  (name.startsWith(cachePrefix) || (base.pathname === '/' && /^t69-shell-\w+$/.test(name)))

/** The caches of earlier versions, the oldest first. */
const oldCaches = async () => (await caches.keys()).filter(isOld)

/** Keeps a file of this version: the copy of an earlier one, where that has the same content, else the server's. */
async function keep(cache, path) {
  const url = new URL(path, base)
  if ((await cache.match(url)) !== undefined) return
  const same = isNamedByContent(path) ? await caches.match(url) : undefined
  if (same !== undefined) return cache.put(url, same)
  const response = await fetch(url, { cache: isNamedByContent(path) ? 'default' : 'reload', priority: 'low' })
  if (!response.ok) throw new TypeError(`${url.href} answered ${response.status}`)
  await cache.put(url, response)
}

/** All or nothing: a version is not installed unless all these files came, and the one before stays. */
async function install() {
  const had = new Set()
  for (const name of await oldCaches()) {
    const before = await caches.open(name)
    for (const { url } of await before.keys()) had.add(nameOf(pathOf(url)))
  }
  const cache = await caches.open(cacheName)
  const wanted = [...first, ...rest.filter((path) => had.has(nameOf(path)))]
  await Promise.all(wanted.map((path) => keep(cache, path)))
  await skipWaiting()
}

/** Deletes the caches of versions that no page needs. The last one stays: a page of it may be starting just now. */
async function dropOld() {
  const { held = [] } = await navigator.locks.query()
  const pagesOpen = held.filter(({ name }) => name.startsWith('t69-page ')).map(({ name }) => name.slice(9))
  for (const name of (await oldCaches()).slice(0, -1)) {
    const cache = await caches.open(name)
    const found = await Promise.all(pagesOpen.map((url) => cache.match(url)))
    if (found.every((it) => it === undefined)) await caches.delete(name)
  }
}

async function answer(event, path) {
  const url = new URL(path, base)
  const cache = await caches.open(cacheName)
  // A file of an earlier version is asked for by a page of that version.
  const kept = (await cache.match(url)) ?? (isNamedByContent(path) ? await caches.match(url) : undefined)
  if (kept !== undefined) return kept
  const response = await fetch(event.request)
  if (response.ok && rest.includes(path)) event.waitUntil(cache.put(url, response.clone()))
  return response
}

addEventListener('install', (event) => event.waitUntil(install()))

addEventListener('activate', (event) => event.waitUntil(dropOld().finally(() => clients.claim())))

async function keepAll(paths) {
  const cache = await caches.open(cacheName)
  // Without a network, or after a deploy, the rest is kept by another page, or not at all.
  for (const path of paths) await keep(cache, path).catch(() => {})
}

/** One after another, so that several pages do not load the same file several times. */
let keeping = Promise.resolve()

addEventListener('message', (event) => {
  const { loaded = [], everything = false } = event.data ?? {}
  const wanted = rest.filter((path) => everything || loaded.includes(new URL(path, base).href))
  keeping = keeping.then(() => keepAll(wanted))
  event.waitUntil(keeping)
})

addEventListener('fetch', (event) => {
  const { request } = event
  const url = new URL(request.url)
  if (request.method !== 'GET' || url.origin !== base.origin || !url.pathname.startsWith(base.pathname))
    return
  const asked = url.pathname.slice(base.pathname.length)
  const path = pages.test(asked) ? '' : asked + url.search
  if (first.includes(path) || isNamedByContent(path)) event.respondWith(answer(event, path))
})
