import Table from 'cli-table3'

/** Where the commands write. */
export interface Output {
  /** A line on standard output. */
  line(text: string): void
  /** A line on standard error: what is said beside the result. */
  aside(text: string): void
}

const bare = { mid: '', 'top-mid': '', 'bottom-mid': '', 'mid-mid': '', 'left-mid': '', 'right-mid': '' }
const edges = { top: '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-left': '', 'bottom-right': '' }

/** Rows in columns, without lines around them, so that `grep` and `awk` can read them too. */
export function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    head: [...head],
    chars: { ...bare, ...edges, left: '', right: '', middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  for (const row of rows) table.push(row.map(oneLine))
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}

/** Names are people's own: what would move the cursor, or begin another line, is left out. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ')
}

export function timeText(time: number | null): string {
  return time === null ? '–' : `${new Date(time).toISOString().slice(0, 16).replace('T', ' ')}Z`
}

export function sizeText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let size = bytes
  let unit = 0
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024
    unit++
  }
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`
}

/** "1 space", "2 spaces": of a word that takes an s. */
export function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}
