// Caches the app's own files, so that the page opens without a network. The build fills in the two constants. Data,
// /api and the socket never pass through here. All paths are relative to the folder of this file, where the app is.
const version = '%VERSION%'
const shell = [/* %SHELL% */]

const base = new URL('./', location.href)
const cachePrefix = `t69-shell-${base.pathname}-`
const cacheName = `${cachePrefix}${version}`
/** The app's own addresses. Below them may be another app of the same machine. */
const pages = /^(?:index\.html|invite\/[^/]+\/?)?$/

/** Whether the cache is of an earlier version of the app at this address; the first ones did not name it. */
const isOld = (name) =>
  name !== cacheName &&
  (name.startsWith(cachePrefix) || (base.pathname === '/' && /^t69-shell-\w+$/.test(name)))

addEventListener('install', (event) => {
  // All or nothing: a version is not installed unless all its files came, and the one before stays.
  event.waitUntil(
    caches
      .open(cacheName)
      .then((cache) =>
        cache.addAll(shell.map((path) => new Request(new URL(path, base), { cache: 'reload' }))),
      )
      // The app is one script, loaded whole before it runs, so a new version takes nothing from open tabs.
      .then(() => skipWaiting()),
  )
})

addEventListener('activate', (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter(isOld).map((name) => caches.delete(name))))
      .then(() => clients.claim()),
  )
})

addEventListener('fetch', (event) => {
  const { request } = event
  const url = new URL(request.url)
  if (request.method !== 'GET' || url.origin !== base.origin || !url.pathname.startsWith(base.pathname))
    return
  const asked = url.pathname.slice(base.pathname.length)
  const path = pages.test(asked) ? '' : asked
  if (!shell.includes(path)) return
  event.respondWith(
    caches
      .open(cacheName)
      .then((cache) => cache.match(new URL(path, base)))
      .then((cached) => cached ?? fetch(request)),
  )
})
