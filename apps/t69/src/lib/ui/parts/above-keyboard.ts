/**
 * Keeps the page above a keyboard on the screen, where the browser lays it out behind it: Safari, which knows no
 * `interactive-widget`. Sets `--visible`, the height in which there is something to see, while that is less than the page's.
 */
export function stayAboveKeyboard(page: HTMLElement): () => void {
  const seen = visualViewport
  if (seen === null) return () => {}

  function fit(): void {
    const { height, scale } = seen as VisualViewport
    // Whoever has zoomed in looks at a part of the page, and moves it as they like.
    const isCovered = scale === 1 && document.documentElement.clientHeight - height > 1
    if (!isCovered) return void page.style.removeProperty('--visible')
    page.style.setProperty('--visible', `${height}px`)
    // Safari has moved the page up for the field, which is in sight by itself now.
    scrollTo(0, 0)
  }

  seen.addEventListener('resize', fit)
  return () => seen.removeEventListener('resize', fit)
}
