/** Where the header of a file says how writers and readers keep a journal, and what stands there. */
const journalModeAt = [18, 19] as const
const versions = { rollback: 1, 'write-ahead log': 2 } as const

type JournalMode = keyof typeof versions

/**
 * Changes the journal mode in the bytes of a database that nobody has open (SQLite's file format, 1.3). What is neither of the
 * two is damaged, and left as it is.
 */
export function setJournalMode(content: Uint8Array, mode: JournalMode): void {
  for (const offset of journalModeAt) {
    if (Object.values<number | undefined>(versions).includes(content[offset]))
      content[offset] = versions[mode]
  }
}
