import { Dexie } from 'dexie'

/** t69 of June 2025 as a tab of it holds `localDb`: through Dexie 4, at version 2. */
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

/** What a tab that somebody types in has done so far. */
export interface Typing {
  /** Clocks of the edits that it was told are stored. */
  readonly stored: number[]
  /** Edits that failed, which t69 shows. */
  readonly failed: string[]
  stop(): Promise<void>
}

/** Writes edits of a tree one after the other, as t69's `appendTreeOps` does, until it is stopped. */
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
