// Runs before the first paint, so that a page that was dark before a reload is not light for a moment: the space itself,
// with its colours, opens later. state/look.ts writes the notes. The content policy allows no script in the page.
const root = document.documentElement
const metas = document.querySelectorAll('meta[name=theme-color]')
try {
  root.dataset.scheme = localStorage.getItem('t69-color-scheme') ?? 'system'
  const { properties, around } = JSON.parse(
    localStorage.getItem('t69-theme') ?? '{"properties":{},"around":{}}',
  )
  for (const [name, value] of Object.entries(properties)) root.style.setProperty(name, value)
  for (const meta of metas) meta.content = around[meta.dataset.scheme] ?? meta.content
} catch {
  // The browser refuses storage, or somebody wrote something else there.
}

/** Gives what the browser shows around the page the colour of the page, whose scheme may not be the system's. */
function showThemeColor() {
  const { scheme = 'system' } = root.dataset
  for (const meta of metas) {
    const own = meta.dataset.scheme
    if (scheme === 'system') meta.media = `(prefers-color-scheme: ${own})`
    else meta.media = scheme === own ? 'all' : 'not all'
  }
}
showThemeColor()
new MutationObserver(showThemeColor).observe(root, { attributeFilter: ['data-scheme'] })
