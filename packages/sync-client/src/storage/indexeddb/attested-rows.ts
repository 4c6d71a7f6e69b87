import {
  hasSameContent,
  type PeerId,
  type SpaceId,
  type TreeId,
  type TreeOperation,
  type UserId,
} from '@t69/protocol'

import { addRun, disputedBy, forgetRun, type AttestedRun, type ClockRun } from '../attested-runs.ts'
import { OpMap } from '../op-map.ts'
import type { AttestedRow, LocalDb } from './local-db-schema.ts'
import { loadTree, mergeTree } from './tree-ops.ts'

/** Keeps who committed operations: a row for each peer in each tree. All functions run inside a transaction. */

/**
 * Adds runs; what is known already stays. `replacing` are about to take the place of operations with the same ids: where
 * the content changes, so does who committed it. Call it before they are written.
 */
export async function attest(
  db: LocalDb,
  spaceId: SpaceId,
  attested: readonly AttestedRun[],
  replacing: readonly TreeOperation[] = [],
): Promise<void> {
  if (attested.length === 0) return
  const groups = [...Map.groupBy(attested, ({ treeId, peerId }) => `${treeId}/${peerId}`).values()]
  const peers = groups.flatMap((added) => {
    const [first] = added
    return first === undefined ? [] : { treeId: first.treeId, peerId: first.peerId, added }
  })
  const rows = await db.attested.bulkGet(
    peers.map(({ treeId, peerId }): [string, string, string] => [spaceId, treeId, peerId]),
  )
  const known = peers.map((peer, index) => ({ ...peer, runs: runsOfRow(rows[index]) }))
  await forgetReplaced(db, spaceId, known, replacing)
  for (const { added, runs } of known) for (const run of added) addRun(runs, run)
  await db.attested.bulkPut(
    known.map(({ treeId, peerId, runs }) => ({ spaceId, treeId, peerId, ...packed(runs) })),
  )
}

interface PeerRuns {
  readonly treeId: TreeId
  readonly peerId: PeerId
  readonly added: readonly AttestedRun[]
  readonly runs: ClockRun[]
}

/**
 * Forgets who committed operations whose content is about to change. They are rare: a server lost history, and somebody
 * wrote something else under an id that was used before. So the tree is read only if two logs name different users.
 */
async function forgetReplaced(
  db: LocalDb,
  spaceId: SpaceId,
  peers: readonly PeerRuns[],
  replacing: readonly TreeOperation[],
): Promise<void> {
  const disputed = peers.flatMap((peer) =>
    peer.added.flatMap((run) => disputedBy(peer.runs, run).map((range) => ({ ...peer, ...range }))),
  )
  for (const [treeId, ranges] of Map.groupBy(disputed, (range) => range.treeId)) {
    const held = mergeTree(await loadTree(db, spaceId, treeId))
    const next = new OpMap<TreeOperation>()
    for (const op of replacing) if (op.treeId === treeId) next.set(op, op)
    for (const { peerId, from, to, runs } of ranges) {
      for (let clock = from; clock <= to; clock++) {
        const [before, after] = [held.get({ clock, peerId }), next.get({ clock, peerId })]
        if (before !== undefined && after !== undefined && !hasSameContent(before, after))
          forgetRun(runs, clock)
      }
    }
  }
}

export async function readAttested(db: LocalDb, spaceId: SpaceId, treeId: TreeId): Promise<AttestedRun[]> {
  const rows = await db.attested.where('[spaceId+treeId]').equals([spaceId, treeId]).toArray()
  return rows.flatMap((row) => runsOfRow(row).map((run) => ({ ...run, treeId, peerId: row.peerId })))
}

function runsOfRow(row: AttestedRow | undefined): ClockRun[] {
  const runs: ClockRun[] = []
  if (row === undefined) return runs
  const { users, runs: numbers } = row
  for (let index = 0; index + 3 < numbers.length; index += 4) {
    const [from, to, at, user] = numbers.subarray(index, index + 4)
    const userId = user === undefined ? undefined : users[user]
    if (from !== undefined && to !== undefined && at !== undefined && userId !== undefined)
      runs.push({ from, to, userId, at })
  }
  return runs
}

function packed(runs: readonly ClockRun[]): Pick<AttestedRow, 'users' | 'runs'> {
  const users: UserId[] = []
  const numbers = new Float64Array(runs.length * 4)
  for (const [index, { from, to, userId, at }] of runs.entries()) {
    let user = users.indexOf(userId)
    if (user < 0) user = users.push(userId) - 1
    numbers.set([from, to, at, user], index * 4)
  }
  return { users, runs: numbers }
}
