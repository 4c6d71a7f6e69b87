/** What splitting along the line is called: in Arabic, the end of the line is on the left. */
export function splitAlong(): string {
  return document.documentElement.dir === 'rtl' ? 'Split left' : 'Split right'
}
