import { Dexie } from 'dexie'

/** Opens `localDb` as t69 did in June 2025: through Dexie 4, at version 2. */
export async function openJune2025(): Promise<Dexie> {
  const db = new Dexie('localDb')
  db.version(2).stores({
    spaces: '&id, uri, name, createdAt, userId',
    config: '&key',
    treeOps: '&[clock+peerId+treeId+spaceId], spaceId, treeId, [spaceId+treeId], [spaceId+treeId+clock]',
    secrets: '&[spaceId+key], spaceId',
  })
  return await db.open()
}

/** The edits of a tab in use so far. */
export interface Typing {
  /** The clocks of the edits that were stored. */
  readonly stored: number[]
  /** The errors of the edits that failed. */
  readonly failed: string[]
  stop(): Promise<void>
}

/** Writes edits of a tree one after the other, as t69's `appendTreeOps` does, until stopped. */
export function typeOn(db: Dexie, spaceId: string, treeId: string, firstClock: number): Typing {
  const stored: number[] = []
  const failed: string[] = []
  let isStopped = false
  async function write(): Promise<void> {
    for (let clock = firstClock; !isStopped; clock++) {
      const row = { clock, peerId: 'june', treeId, spaceId, targetId: treeId, key: 'text', value: `${clock}` }
      await db
        .table('treeOps')
        .bulkPut([row])
        .then(
          () => void stored.push(clock),
          (error: unknown) => void failed.push(String(error)),
        )
    }
  }
  const written = write()
  return {
    stored,
    failed,
    async stop() {
      isStopped = true
      await written
    },
  }
}
