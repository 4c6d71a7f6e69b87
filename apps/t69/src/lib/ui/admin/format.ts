/** How the admin page writes times and sizes, in the language of the page. */

const tag = (): string => document.documentElement.lang

/** A time in Unix milliseconds. */
export function timeText(time: number): string {
  return new Intl.DateTimeFormat(tag(), { dateStyle: 'medium', timeStyle: 'short' }).format(time)
}

const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const

/** A size in bytes. */
export function sizeText(bytes: number): string {
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3))
  const style = { style: 'unit', unit: units[power] ?? 'byte', unitDisplay: 'short' } as const
  return new Intl.NumberFormat(tag(), { ...style, maximumSignificantDigits: 3 }).format(bytes / 1000 ** power)
}

/** A duration in ms. */
export function durationText(ms: number): string {
  const style = { style: 'unit', unit: 'millisecond', unitDisplay: 'short' } as const
  return new Intl.NumberFormat(tag(), { ...style, maximumFractionDigits: 1 }).format(ms)
}
