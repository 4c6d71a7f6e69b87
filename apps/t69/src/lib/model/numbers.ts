let format = new Intl.NumberFormat('en')

/** Writes numbers as the language of the tag does, from now on. */
export function writeNumbersIn(tag: string): void {
  format = new Intl.NumberFormat(tag)
}

/** A number in the language of the page: 1,234 in English. */
export function numberText(number: number): string {
  return format.format(number)
}
