/**
 * Copies a text, and returns whether that worked. Over plain HTTP browsers have no `navigator.clipboard`, but still copy
 * what is selected.
 */
export async function copyText(text: string): Promise<boolean> {
  // The types do not know of plain HTTP.
  const clipboard = 'clipboard' in navigator ? navigator.clipboard : undefined
  try {
    if (clipboard === undefined) throw new Error('The browser has no clipboard for this page')
    await clipboard.writeText(text)
    return true
  } catch {
    return copySelected(text)
  }
}

function copySelected(text: string): boolean {
  const before = document.activeElement
  const area = document.createElement('textarea')
  area.value = text
  area.className = 'unseen'
  document.body.append(area)
  area.select()
  // oxlint-disable-next-line typescript/no-deprecated -- There is nothing else over plain HTTP.
  const isCopied = document.execCommand('copy')
  area.remove()
  if (before instanceof HTMLElement) before.focus({ preventScroll: true })
  return isCopied
}
