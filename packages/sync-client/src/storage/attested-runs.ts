import type { Commit, PeerId, TreeId, TreeOperation, UserId } from '@t69/protocol'

/** Who committed an operation, and when, as the server attested it. */
export interface Attestation {
  readonly userId: UserId
  /** Unix milliseconds by the server's clock, exact to the minute. */
  readonly at: number
}

/** The operations of one peer at the clocks `from` to `to`, all of which exist, with who committed them. */
export interface ClockRun extends Attestation {
  readonly from: number
  readonly to: number
}

/**
 * The operations of one peer in one tree at the clocks `from` to `to`, all of which exist, with who committed them. A peer
 * writes its clocks one after the other, so that one run stands for many operations. A run never covers a clock without
 * an operation: somebody else could write one under that peer later.
 */
export interface AttestedRun extends ClockRun {
  readonly treeId: TreeId
  readonly peerId: PeerId
}

/**
 * What a page or an append attests. `ops` are at the positions from `after + 1` on. Operations of which the server does
 * not know who committed them are left out.
 */
export function attestedRuns(
  ops: readonly TreeOperation[],
  after: number,
  commits: readonly Commit[],
): AttestedRun[] {
  const runs: AttestedRun[] = []
  /** Where the commit before ended: of a list that is out of order, no operation is looked at twice. */
  let done = 0
  for (const [index, { after: start, userId, at }] of commits.entries()) {
    if (userId === null) continue
    const from = Math.max(done, start - after)
    const to = Math.max(from, (commits[index + 1]?.after ?? after + ops.length) - after)
    done = to
    runs.push(...runsOf(ops.slice(from, to), { userId, at }))
  }
  return runs
}

/** The runs of operations that one user committed at one time. */
export function runsOf(ops: readonly TreeOperation[], { userId, at }: Attestation): AttestedRun[] {
  const runs: OpenRun[] = []
  const latest = new Map<string, OpenRun>()
  let run: OpenRun | undefined
  for (const { treeId, peerId, clock } of ops) {
    // Most operations are of the peer before, which needs no look-up.
    if (run?.treeId !== treeId || run.peerId !== peerId) run = latest.get(`${treeId}/${peerId}`)
    if (run !== undefined && clock === run.to + 1) {
      run.to = clock
      continue
    }
    run = { treeId, peerId, from: clock, to: clock, userId, at }
    latest.set(`${treeId}/${peerId}`, run)
    runs.push(run)
  }
  return runs
}

type OpenRun = { -readonly [Field in keyof AttestedRun]: AttestedRun[Field] }

/** Finds who committed the operation at `clock`. `runs` are sorted and do not overlap. */
export function attestationAt(runs: readonly ClockRun[], clock: number): Attestation | undefined {
  const run = runs[firstEndingFrom(runs, clock)]
  return run !== undefined && run.from <= clock ? run : undefined
}

/**
 * Adds a run to those of its peer, in place. They stay sorted, and neighbours that say the same become one. What is known
 * already stays as it is: the first log that attests an operation decides (SPEC.md, CO6).
 */
export function addRun(runs: ClockRun[], { from, to, userId, at }: ClockRun): void {
  const last = runs.at(-1)
  // Nearly always: a peer goes on.
  if (last === undefined || last.to + 1 < from) {
    runs.push({ from, to, userId, at })
    return
  }
  const first = firstEndingFrom(runs, from - 1)
  let end = first
  const pieces: ClockRun[] = []
  let start = from
  for (let run = runs[end]; run !== undefined && run.from <= to + 1; run = runs[++end]) {
    if (start < run.from) pieces.push({ from: start, to: Math.min(to, run.from - 1), userId, at })
    pieces.push(run)
    start = Math.max(start, run.to + 1)
  }
  if (start <= to) pieces.push({ from: start, to, userId, at })
  runs.splice(first, end - first, ...joined(pieces))
}

/** The parts of a run of which somebody else is known to have committed them. */
export function disputedBy(
  runs: readonly ClockRun[],
  { from, to, userId }: ClockRun,
): { from: number; to: number }[] {
  const disputed: { from: number; to: number }[] = []
  for (let index = firstEndingFrom(runs, from); index < runs.length; index++) {
    const run = runs[index]
    if (run === undefined || run.from > to) break
    if (run.userId !== userId) disputed.push({ from: Math.max(from, run.from), to: Math.min(to, run.to) })
  }
  return disputed
}

/** Forgets who committed the operation at `clock`, in place. */
export function forgetRun(runs: ClockRun[], clock: number): void {
  const index = firstEndingFrom(runs, clock)
  const run = runs[index]
  if (run === undefined || run.from > clock) return
  const rest: ClockRun[] = []
  if (run.from < clock) rest.push({ ...run, to: clock - 1 })
  if (run.to > clock) rest.push({ ...run, from: clock + 1 })
  runs.splice(index, 1, ...rest)
}

function joined(pieces: readonly ClockRun[]): ClockRun[] {
  const runs: ClockRun[] = []
  for (const piece of pieces) {
    const last = runs.at(-1)
    const continues =
      last !== undefined && last.to + 1 === piece.from && last.userId === piece.userId && last.at === piece.at
    if (continues) runs[runs.length - 1] = { ...last, to: piece.to }
    else runs.push(piece)
  }
  return runs
}

/** The index of the first run that ends at `clock` or later. */
function firstEndingFrom(runs: readonly ClockRun[], clock: number): number {
  let [low, high] = [0, runs.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((runs[middle]?.to ?? Infinity) < clock) low = middle + 1
    else high = middle
  }
  return low
}
