import {
  hasSameContent,
  type Epoch,
  type LogId,
  nullVertexId,
  opKey,
  type PeerId,
  randomHexId,
  type SpaceId,
  type TreeId,
  type TreeOperation,
} from '@t69/protocol'

import { type CommitRow, commitRows } from './commit-rows.ts'
import type { KeptAccess, OpLog, OpLogs } from './op-log.ts'

/** About how many bytes an operation takes in a file, besides its value. */
const bytesPerOp = 250

/** A log as a file would hold it. */
interface StoredLog {
  logId: LogId
  bytes: number
  access: KeptAccess | undefined
  readonly ops: TreeOperation[]
  readonly byKey: Map<string, TreeOperation>
  readonly byTree: Map<TreeId, TreeOperation[]>
  readonly epochs: { epoch: Epoch; after: number }[]
  readonly commits: CommitRow[]
}

/** Logs in memory, for tests and simulations. Closing keeps them: a restart opens them again. */
export interface MemoryOpLogs extends OpLogs {
  /** Copies the logs as they are now, ids and epochs included, as a backup would. */
  copy(): MemoryOpLogs
}

export function createMemoryOpLogs(): MemoryOpLogs {
  return openMemoryOpLogs(new Map())
}

function openMemoryOpLogs(stored: Map<SpaceId, StoredLog>): MemoryOpLogs {
  return {
    copy: () => openMemoryOpLogs(new Map(Array.from(stored, ([spaceId, log]) => [spaceId, copyOf(log)]))),
    open: (spaceId, epoch) => {
      let log = stored.get(spaceId)
      if (log === undefined) {
        log = {
          logId: newLogId(),
          bytes: 0,
          access: undefined,
          ops: [],
          byKey: new Map(),
          byTree: new Map(),
          epochs: [],
          commits: [],
        }
        stored.set(spaceId, log)
      }
      return openMemoryOpLog(log, epoch)
    },
    bytesOf: (spaceId) => stored.get(spaceId)?.bytes ?? 0,
    suspect: () => {},
    wasDeleted: () => false,
    delete: (spaceId) => void stored.delete(spaceId),
  }
}

function openMemoryOpLog(log: StoredLog, ownEpoch: Epoch): OpLog {
  const { ops, byKey, byTree, epochs, commits } = log

  function compare(op: TreeOperation): 'absent' | 'same' | 'other' {
    const known = byKey.get(opKey(op))
    if (known === undefined) return 'absent'
    return hasSameContent(known, op) ? 'same' : 'other'
  }

  return {
    get logId() {
      return log.logId
    },
    get head() {
      return ops.length
    },
    isReadOnly: false,
    get bytes() {
      return log.bytes
    },
    get bytesAtMost() {
      return log.bytes
    },
    get epoch() {
      return epochs.at(-1)?.epoch ?? ownEpoch
    },

    get access() {
      return log.access
    },
    keepAccess: (access) => void (log.access = access),

    holds: ({ logId, epoch, cursor }) => {
      if (logId !== log.logId || cursor > ops.length) return false
      if (cursor === 0 || epoch === undefined) return true
      const index = epochs.findIndex((row) => row.epoch === epoch)
      return index >= 0 && cursor <= (epochs[index + 1]?.after ?? ops.length)
    },
    renewLogId: () => (log.logId = newLogId()),

    checkRows: () => true,
    compare,
    lookUp: (asked) => {
      const verdicts = new Map<TreeOperation, 'same' | 'other'>()
      for (const op of asked) {
        const verdict = compare(op)
        if (verdict !== 'absent') verdicts.set(op, verdict)
      }
      return verdicts
    },
    readTogether: (asked) => [[...asked]],
    wasDeleted: ({ treeId, targetId }) =>
      (byTree.get(treeId) ?? []).some((op) => op.targetId === targetId && op.parentId === nullVertexId),
    maxClock: (treeId) => (byTree.get(treeId) ?? []).reduce((max, op) => Math.max(max, op.clock), 0),

    append: (contributions, now) => {
      const after = ops.length
      const { rows, at } = commitRows(contributions, now, after, commits.at(-1))
      const added = contributions.flatMap((contribution) => contribution.ops)
      if (added.length === 0) return { after, cursor: after, at }
      const keys = new Set(added.map(opKey))
      if (keys.size < added.length || added.some((op) => byKey.has(opKey(op)))) {
        throw new Error('an operation is appended twice')
      }
      if (epochs.at(-1)?.epoch !== ownEpoch) epochs.push({ epoch: ownEpoch, after })
      for (const op of added) {
        ops.push(op)
        log.bytes += bytesPerOp + valueLength(op)
        byKey.set(opKey(op), op)
        const tree = byTree.get(op.treeId)
        if (tree === undefined) byTree.set(op.treeId, [op])
        else tree.push(op)
      }
      commits.push(...rows)
      return { after, cursor: ops.length, at }
    },

    commits: ({ after, cursor }, atMost) => {
      if (after >= cursor) return []
      const first = commits.findLast((row) => row.after <= after)
      const later = commits.filter((row) => row.after > after && row.after < cursor)
      return [
        { after, userId: first?.user ?? null, at: first?.at ?? 0 },
        ...later.map((row) => ({ after: row.after, userId: row.user, at: row.at })),
      ].slice(0, atMost)
    },

    read: (after, { maxOps, maxBytes }) => {
      const page: TreeOperation[] = []
      let bytes = 0
      for (let seq = after; seq < ops.length; seq++) {
        const op = ops[seq]
        if (op === undefined) break
        bytes += 8 + valueLength(op)
        if (page.length > 0 && (bytes > maxBytes || page.length >= maxOps)) break
        page.push(op)
      }
      return page
    },
    readTree: (treeId, { through = ops.length, maxBytes = Infinity } = {}) => {
      const early = through < ops.length ? new Set(ops.slice(0, through)) : undefined
      const tree = (byTree.get(treeId) ?? []).filter((op) => early?.has(op) !== false)
      const read: TreeOperation[] = []
      let bytes = 0
      for (const op of tree.toSorted((a, b) => a.clock - b.clock || comparePeers(a.peerId, b.peerId))) {
        bytes += valueLength(op)
        if (bytes > maxBytes) break
        read.push(op)
      }
      return { ops: read, bytes }
    },
    countTree: (treeId, atMost) => Math.min(byTree.get(treeId)?.length ?? 0, atMost),

    // Nothing is kept in segments.
    segmentAt: () => undefined,
    isUnsettled: false,
    isOverdue: false,
    settle: () => {},

    check: () => {},
    close: () => {},
  }
}

function copyOf(log: StoredLog): StoredLog {
  return {
    logId: log.logId,
    bytes: log.bytes,
    access: log.access,
    ops: [...log.ops],
    byKey: new Map(log.byKey),
    byTree: new Map(Array.from(log.byTree, ([treeId, ops]) => [treeId, [...ops]])),
    epochs: [...log.epochs],
    commits: [...log.commits],
  }
}

/** Length of the value's JSON text; 0 without a value. */
function valueLength({ value }: TreeOperation): number {
  return value === undefined ? 0 : JSON.stringify(value).length
}

function newLogId(): LogId {
  return randomHexId() as LogId
}

function comparePeers(a: PeerId, b: PeerId): number {
  return a < b ? -1 : a > b ? 1 : 0
}
