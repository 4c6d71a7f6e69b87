import './without-refused-channels.ts'
import type { ErrorCode, PeerId, SpaceId, TreeId, TreeOperation, UserId } from '@t69/protocol'
import { Dexie, type DexieOptions, type Table } from 'dexie'

import type { SyncState } from '../client-storage.ts'
import type { TreeOperationRow } from './operation-row.ts'

/** A space as t69 stores it on a device. Layout, theme, colours and drafts never leave the device. */
export interface SpaceSetup {
  id: string
  /** `browser://<id>` or `local://<id>` while local, the server's address once synced. */
  uri: string
  name: string | null
  createdAt: Date
  userId: string | null
  /** The server whose user that is. Absent in what older releases stored. */
  server?: string
  ttabsLayout?: string | null
  theme?: string | null
  colorScheme?: 'light' | 'dark' | null
  drafts?: { [draftId: string]: string } | null
}

export interface ConfigEntry {
  key: string
  value: unknown
}

/** An API key. It is never an operation, so it never reaches a server. */
export interface SecretRecord {
  spaceId: string
  key: string
  value: string
}

/** A batch of operations of one tree, which arrived in bulk or were folded from rows. */
export interface SegmentRow {
  id: number
  spaceId: SpaceId
  treeId: TreeId
  /** The log from which they were received during a reconciliation; otherwise null. */
  logId: string | null
  count: number
  batch: Uint8Array
}

/** A batch of edits that wait for the server. It is a copy, independent of what happens to the tree's rows. */
export interface OutboxRow {
  order: number
  spaceId: SpaceId
  count: number
  batch: Uint8Array<ArrayBuffer>
}

export interface RejectedRow {
  id: number
  spaceId: SpaceId
  op: TreeOperation
  code: ErrorCode
  message: string
}

/** Who committed the operations of one peer in one tree. */
export interface AttestedRow {
  spaceId: SpaceId
  treeId: TreeId
  peerId: PeerId
  users: UserId[]
  /** Four numbers for each run: its first and last clock, when it was committed, and by whom, an index of `users`. */
  runs: Float64Array
}

export interface SyncRow extends Omit<SyncState, 'identity'> {
  spaceId: SpaceId
  /** Absent in a row that was written before spaces had an identity. */
  identity?: SyncState['identity']
  /** How many operations are in the outbox. Kept here, so that counting them reads one row. */
  pending: number
  /** During a reconciliation, only segments with a higher id count as received. */
  receivedAfter: number
}

/** A row to be added: the database gives it its key. */
type Keyless<T, K extends keyof T> = Omit<T, K>

/**
 * t69's own database, opened in place. Versions 1 and 2 are t69's, unchanged; versions 3 and 4 add stores. Versions must stay
 * cumulative: Dexie deletes a store that a version on the way of an upgrade does not name.
 */
export class LocalDb extends Dexie {
  declare readonly spaces: Table<SpaceSetup, string>
  declare readonly config: Table<ConfigEntry, string>
  declare readonly treeOps: Table<TreeOperationRow, [number, string, string, string]>
  declare readonly secrets: Table<SecretRecord, [string, string]>
  declare readonly segments: Table<SegmentRow, number, Keyless<SegmentRow, 'id'>>
  declare readonly outbox: Table<OutboxRow, number, Keyless<OutboxRow, 'order'>>
  declare readonly rejected: Table<RejectedRow, number, Keyless<RejectedRow, 'id'>>
  declare readonly sync: Table<SyncRow, string>
  declare readonly attested: Table<AttestedRow, [string, string, string]>

  /**
   * `relaxed` is the default of Chrome and Firefox: a commit survives a killed tab, browser or process, but not a power
   * cut in the seconds after it. A power cut loses whole transactions from the end, cursor and operations together, so
   * the rest is consistent. Flushing the disk at each keystroke would cost more than it saves.
   */
  constructor(name = 'localDb', options: DexieOptions = {}) {
    super(name, { chromeTransactionDurability: 'relaxed', cache: 'disabled', ...options })

    // t69 added `secrets` without a new version, so a version 1 database may or may not have it. Naming it here creates
    // it where it is missing, and keeps it where it exists.
    this.version(1).stores({
      spaces: '&id, uri, name, createdAt',
      config: '&key',
      treeOps: '&[clock+peerId+treeId+spaceId], spaceId, treeId, [spaceId+treeId], [spaceId+treeId+clock]',
      secrets: '&[spaceId+key], spaceId',
    })
    this.version(2)
      .stores({ spaces: '&id, uri, name, createdAt, userId' })
      .upgrade((transaction) =>
        transaction
          .table<Partial<SpaceSetup>>('spaces')
          .toCollection()
          .modify((space) => {
            space.userId ??= null
          }),
      )
    this.version(3)
      .stores({
        segments: '++id, spaceId, [spaceId+treeId]',
        outbox: '++order, spaceId',
        rejected: '++id, spaceId',
        sync: '&spaceId',
      })
      .upgrade(async (transaction) => {
        const spaces = transaction.table<SpaceSetup & { secrets?: unknown }>('spaces')
        const secrets = transaction.table<SecretRecord>('secrets')
        for (const { id, secrets: kept } of await spaces.toArray()) {
          if (typeof kept !== 'object') continue
          for (const [key, value] of Object.entries(kept ?? {})) {
            // An existing row is newer than the value that t69 once kept inside the space.
            if ((await secrets.get([id, key])) === undefined) await secrets.put({ spaceId: id, key, value })
          }
          await spaces
            .where('id')
            .equals(id)
            .modify((space) => {
              delete space.secrets
            })
        }
      })
    this.version(4).stores({ attested: '&[spaceId+treeId+peerId], spaceId, [spaceId+treeId]' })
  }
}
