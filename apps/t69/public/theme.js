// Runs before the first paint, so that a page that was dark before a reload is not light for a moment: the space itself,
// with its colours, opens later. device-storage.ts writes the note. The content policy allows no script in the page.
try {
  document.documentElement.dataset.scheme = localStorage.getItem('t69-color-scheme') ?? 'system'
} catch {
  // The browser refuses storage.
}
