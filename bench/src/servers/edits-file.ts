import Database from 'better-sqlite3'

/** Opens a file of edits. What it returns commits one, flushed to the disk. */
export function openEdits(path: string): (edit: unknown) => void {
  const db = new Database(path)
  db.pragma('journal_mode = wal')
  db.pragma('synchronous = full')
  db.exec('create table edits (seq integer primary key, edit text not null) strict')
  const insert = db.prepare('insert into edits (edit) values (?)')
  return (edit) => void insert.run(JSON.stringify(edit))
}
