/** The days by which the sidebar groups chats: near ones by name, others by month. */

/** `today`, `yesterday`, `week`, `month`, or the month of the year, as in `2026-03`. */
export type DayGroup = 'today' | 'yesterday' | 'week' | 'month' | `${number}-${string}`

/** Returns a function that gives the group of a moment, in this device's time zone. A future one is of today: some clock is wrong. */
export function dayGroups(now: number): (ms: number) => DayGroup {
  // Looking at thousands of chats asks the calendar a few times only.
  const [today, yesterday] = [midnight(now, 0), midnight(now, -1)]
  const [week, month] = [midnight(now, -7), midnight(now, -30)]
  return (ms) => {
    if (ms >= today) return 'today'
    if (ms >= yesterday) return 'yesterday'
    if (ms >= week) return 'week'
    if (ms >= month) return 'month'
    const date = new Date(ms)
    return `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, '0')}`
  }
}

/** The midnight with which the day begins that is so many days after that of `ms`. */
function midnight(ms: number, days: number): number {
  const date = new Date(ms)
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + days).getTime()
}

/** The heading of a group, in the language of the page. */
export function dayGroupName(group: DayGroup, locale: string): string {
  switch (group) {
    case 'today':
      return 'Today'
    case 'yesterday':
      return 'Yesterday'
    case 'week':
      return 'Last 7 days'
    case 'month':
      return 'Last 30 days'
    default:
      return monthName(group, locale)
  }
}

function monthName(group: string, locale: string): string {
  const [year, month] = group.split('-').map(Number)
  return new Intl.DateTimeFormat(locale, { month: 'long', year: 'numeric' }).format(
    new Date(year ?? 0, (month ?? 1) - 1),
  )
}

/** How long until the next midnight here, in ms. */
export function untilMidnight(now: number): number {
  return midnight(now, 1) - now
}
