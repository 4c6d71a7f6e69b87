import { type Command, InvalidArgumentError } from '@commander-js/extra-typings'

import type { AdminAnswer } from '../admin/admin-calls.ts'
import { type Output, tableOf, timeText } from './print.ts'

/** `--json`: the result as one line of JSON, for scripts. */
export function jsonOption<Args extends unknown[], Options extends Record<string, unknown>>(
  command: Command<Args, Options>,
) {
  return command.option('--json', 'print JSON')
}

/** `--search`, `--limit`, `--offset` and `--json`. */
export function pageOptions<Args extends unknown[], Options extends Record<string, unknown>>(
  command: Command<Args, Options>,
) {
  return jsonOption(
    command
      .option('--search <text>', 'only those with this text in them', '')
      .option('--limit <count>', 'how many at most', wholeNumber, 50)
      .option('--offset <count>', 'how many to leave out at the beginning', wholeNumber, 0),
  )
}

function wholeNumber(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}

/** Says how many more there are than were shown. */
export function restOf(
  output: Output,
  shown: number,
  { offset, total }: { readonly offset: number; readonly total: number },
  of: string,
): void {
  if (offset + shown < total) output.aside(`${shown} of ${total} ${of}: see --limit, --offset and --search.`)
}

export function auditTable(audit: AdminAnswer<'users show'>['audit']): string {
  const rows = audit.map(({ at, by, action, userId, spaceId, address }) => [
    timeText(at),
    action,
    by,
    userId ?? '',
    spaceId ?? '',
    address ?? '',
  ])
  return tableOf(['when', 'what', 'by', 'account', 'space', 'from'], rows)
}
