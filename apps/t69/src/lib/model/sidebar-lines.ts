import { dayGroupName, dayGroups, type DayGroup } from './day-groups.ts'
import type { ForestRow } from './space-tree.ts'

/** The lines of the sidebar: its rows, under headings. */

export type SidebarGroup = 'pinned' | 'folders' | DayGroup

export interface HeadingLine {
  readonly kind: 'heading'
  readonly group: SidebarGroup
}

export interface RowLine {
  readonly kind: 'row'
  readonly row: ForestRow
  /** The heading that it is under. */
  readonly group: SidebarGroup
}

/** Puts a heading before the first row of each group. What is in a folder is in the folder's group. */
export function sidebarLines(rows: readonly ForestRow[], now: number): (HeadingLine | RowLine)[] {
  const lines: (HeadingLine | RowLine)[] = []
  const dayGroupOf = dayGroups(now)
  const groupOf = (row: ForestRow): SidebarGroup => {
    if (row.pinned) return 'pinned'
    return row.kind === 'folder' ? 'folders' : dayGroupOf(row.activeAt)
  }
  let group: SidebarGroup | undefined
  for (const row of rows) {
    const next = row.level === 1 || group === undefined ? groupOf(row) : group
    if (next !== group) lines.push({ kind: 'heading', group: next })
    group = next
    lines.push({ kind: 'row', row, group })
  }
  return lines
}

/** The heading of a group, in the language of the page. */
export function groupName(group: SidebarGroup, locale: string): string {
  if (group === 'pinned') return 'Pinned'
  return group === 'folders' ? 'Folders' : dayGroupName(group, locale)
}
