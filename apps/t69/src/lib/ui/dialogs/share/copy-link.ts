/**
 * Copies what an input holds, and returns whether that worked. Over plain HTTP browsers have no `navigator.clipboard`,
 * but still do what people could do by hand: select, and copy. The input stays selected, for a hand to copy it.
 */
export async function copyLink(input: HTMLInputElement): Promise<boolean> {
  // The types do not know of plain HTTP.
  const clipboard = 'clipboard' in navigator ? navigator.clipboard : undefined
  try {
    if (clipboard === undefined) throw new Error('The browser has no clipboard for this page')
    await clipboard.writeText(input.value)
    return true
  } catch {
    input.focus()
    input.select()
    // oxlint-disable-next-line typescript/no-deprecated -- There is nothing else over plain HTTP.
    return document.execCommand('copy')
  }
}
