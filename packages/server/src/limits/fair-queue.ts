/** Somebody for whom work is done, and how much of it is theirs, compared with the others who share it. */
export interface Payer {
  readonly name: string
  readonly weight: number
}

/** A job that waits. Jobs of one lane run in the order in which they came. */
export interface Waiting<Job> {
  readonly job: Job
  readonly lane: string
  readonly payers: readonly Payer[]
}

/**
 * Work that waits for one thread, shared fairly between those for whom it is done, however much each of them asks for:
 * start-time fair queueing (Goyal, Vin, Cheng 1996), by the time that the work took. Whoever had least is next.
 */
export interface FairQueue<Job> {
  readonly size: number
  add(waiting: Waiting<Job>): void
  /** The job that is next, which stays in the queue; undefined when none waits. */
  next(): Waiting<Job> | undefined
  /** Charges the payers of the job that was next for `ms` of work. `isDone`: it leaves the queue. */
  worked(ms: number, isDone: boolean): void
}

interface Share<Job> {
  /** The time that was worked for this payer, in ms, on a scale that begins where the others are. */
  served: number
  /** In the order in which they came. Those that ran before their turn, in front of another job of their lane, are skipped. */
  readonly waiting: Waiting<Job>[]
}

/** Payers without a job whose time is remembered while others have some. */
const maxRemembered = 1_000

/**
 * Payers who differ by less than `quantumMs` are served in the order in which their jobs came: with little to do, nobody
 * overtakes anybody.
 */
export function createFairQueue<Job>(quantumMs = 0): FairQueue<Job> {
  const active = new Map<string, Share<Job>>()
  /** Whoever began to rest first comes first. A map is emptied at once, and that is done whenever nothing waits. */
  const resting = new Map<string, number>()
  const lanes = new Map<string, Waiting<Job>[]>()
  /** In which order jobs came. Those that are done have none. */
  const numbers = new WeakMap<Waiting<Job>, number>()
  let lastNr = 0
  let size = 0
  /** What the payer had whose turn it is. Whoever comes now begins here, and not with what they did not use before. */
  let floor = 0
  let current: Waiting<Job> | undefined

  function shareOf(name: string): Share<Job> {
    let share = active.get(name)
    if (share === undefined) {
      active.set(name, (share = { served: Math.max(resting.get(name) ?? 0, floor), waiting: [] }))
      resting.delete(name)
    }
    return share
  }

  function rest(name: string, served: number): void {
    active.delete(name)
    resting.set(name, served)
    const [oldest = name] = resting.keys()
    if (resting.size > maxRemembered) resting.delete(oldest)
  }

  const levelOf = (served: number): number => (quantumMs === 0 ? served : Math.floor(served / quantumMs))
  const nrOf = (waiting: Waiting<Job> | undefined): number => (waiting && numbers.get(waiting)) ?? Infinity

  /** Lets a payer rest for whom nothing waits. */
  function firstOf(name: string, { waiting, served }: Share<Job>): Waiting<Job> | undefined {
    while (waiting[0] !== undefined && !numbers.has(waiting[0])) waiting.shift()
    if (waiting[0] === undefined) rest(name, served)
    return waiting[0]
  }

  function next(): Waiting<Job> | undefined {
    let least = Infinity
    let wanted: Waiting<Job> | undefined
    for (const [name, share] of active) {
      if (levelOf(share.served) > levelOf(least)) continue
      const first = firstOf(name, share)
      if (first === undefined) continue
      const isFirst = wanted === undefined || levelOf(share.served) < levelOf(least)
      if (!isFirst && nrOf(first) > nrOf(wanted)) continue
      least = share.served
      wanted = first
    }
    if (wanted === undefined) return undefined
    floor = Math.max(floor, least)
    // What is ahead of it in its lane has to be done first, whoever pays for that.
    return lanes.get(wanted.lane)?.[0]
  }

  function finish(waiting: Waiting<Job>): void {
    size--
    numbers.delete(waiting)
    const lane = lanes.get(waiting.lane)
    lane?.shift()
    if (lane?.length === 0) lanes.delete(waiting.lane)
    current = undefined
    if (size > 0) return
    // Nobody waits for anybody: all begin alike.
    active.clear()
    resting.clear()
    floor = 0
  }

  return {
    get size() {
      return size
    },
    add: (waiting) => {
      size++
      numbers.set(waiting, ++lastNr)
      const lane = lanes.get(waiting.lane)
      if (lane === undefined) lanes.set(waiting.lane, [waiting])
      else lane.push(waiting)
      for (const { name } of waiting.payers) shareOf(name).waiting.push(waiting)
    },
    next: () => (current = next()),
    worked: (ms, isDone) => {
      if (current === undefined) return
      const { payers } = current
      const whole = payers.reduce((sum, { weight }) => sum + weight, 0)
      for (const { name, weight } of payers) shareOf(name).served += (ms * weight) / whole
      if (isDone) finish(current)
    },
  }
}
