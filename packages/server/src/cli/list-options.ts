import { type Command, InvalidArgumentError } from '@commander-js/extra-typings'

import { type AdminAnswer, maxListed } from '../admin/admin-calls.ts'
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
      .option('--limit <count>', `how many at most, up to ${maxListed}`, numberFrom(1, maxListed), 50)
      .option('--offset <count>', 'how many to leave out at the beginning', numberFrom(0), 0),
  )
}

function numberFrom(least: number, most = 999_999_999): (text: string) => number {
  return (text) => {
    const number = Number(text)
    if (/^[0-9]{1,9}$/.test(text) && number >= least && number <= most) return number
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`)
  }
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
