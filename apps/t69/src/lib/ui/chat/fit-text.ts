/** Styles of the copy that is measured: as wide as the textarea, out of the page's flow, and as high as it must be. */
const unseen =
  'position: fixed; inset: 0 auto auto 0; visibility: hidden; height: 0; min-height: 0; overflow: hidden'

/**
 * An attachment that makes a textarea as high as its text, within its `min-height` and `max-height`, where the browser
 * has no `field-sizing: content`, as Firefox has none. The height is measured on a copy: making the textarea itself
 * small for a moment would scroll the messages above it.
 *
 *     <textarea bind:value={text} {@attach fitText(() => text)}></textarea>
 */
export function fitText(text: () => string): (area: HTMLTextAreaElement) => (() => void) | undefined {
  return (area) => {
    const shown = text()
    if (CSS.supports('field-sizing', 'content')) return undefined
    function fit(): void {
      const copy = document.createElement('textarea')
      copy.className = area.className
      copy.rows = area.rows
      copy.placeholder = area.placeholder
      copy.value = shown
      copy.ariaHidden = 'true'
      copy.disabled = true
      copy.style.cssText = `${unseen}; width: ${area.offsetWidth}px`
      area.after(copy)
      area.style.height = `${copy.scrollHeight + area.offsetHeight - area.clientHeight}px`
      copy.remove()
    }
    fit()
    let width = area.offsetWidth
    const resized = new ResizeObserver(() => {
      if (area.offsetWidth === width) return
      width = area.offsetWidth
      fit()
    })
    resized.observe(area)
    return () => resized.disconnect()
  }
}
