// Caches the app's own files, so that the page opens without a network. The build fills in the two constants. Data,
// /api and the socket never pass through here.
const version = '%VERSION%'
const shell = [/* %SHELL% */]

const cacheName = `t69-shell-${version}`
const notThePage = /^\/(?:api|socket\.io|docs|health|ready|metrics)(?:\/|$)/

addEventListener('install', (event) => {
  // All or nothing: a version is not installed unless all its files came, and the one before stays.
  event.waitUntil(
    caches
      .open(cacheName)
      .then((cache) => cache.addAll(shell.map((path) => new Request(path, { cache: 'reload' }))))
      // The app is one script, loaded whole before it runs, so a new version takes nothing from open tabs.
      .then(() => skipWaiting()),
  )
})

addEventListener('activate', (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) =>
        Promise.all(
          names
            .filter((name) => name.startsWith('t69-shell-') && name !== cacheName)
            .map((name) => caches.delete(name)),
        ),
      )
      .then(() => clients.claim()),
  )
})

addEventListener('fetch', (event) => {
  const { request } = event
  const url = new URL(request.url)
  if (request.method !== 'GET' || url.origin !== location.origin || notThePage.test(url.pathname)) return
  // Every address of the app is the same page: /invite/<token> too.
  const path = request.mode === 'navigate' ? '/' : url.pathname
  if (!shell.includes(path)) return
  event.respondWith(
    caches
      .open(cacheName)
      .then((cache) => cache.match(path))
      .then((cached) => cached ?? fetch(request)),
  )
})
