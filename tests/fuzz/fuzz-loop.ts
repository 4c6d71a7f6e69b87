import { createRandom } from '../lib/random.ts'
import type { Coverage, Novelty } from './coverage.ts'
import type { FuzzTarget } from './fuzz-target.ts'

export interface Finding {
  readonly message: string
  readonly input: Uint8Array
}

export interface FuzzReport {
  readonly inputs: number
  readonly seconds: number
  /** What was worth keeping. */
  readonly corpus: readonly Uint8Array[]
  /** How many inputs had each kind of outcome, the most frequent first. */
  readonly outcomes: readonly (readonly [string, number])[]
  readonly shares: Record<string, number>
  readonly findings: readonly Finding[]
}

export interface FuzzLoopOptions {
  readonly target: FuzzTarget
  /** None: outcomes alone guide, at about twice the speed. */
  readonly coverage: Coverage | undefined
  /** What an earlier run kept, instead of the target's seeds. */
  readonly corpus: readonly Uint8Array[]
  readonly seed: number
  readonly inputs: number
  /** Stops there even if inputs are left. */
  readonly seconds: number
  /** Called with each input before it runs: whoever watches sees which one hangs. */
  readonly about: (input: Uint8Array) => void
}

const maxCorpus = 5_000
const maxFindings = 10
/** Coverage is asked for once in so many inputs, fewer while each group finds something. */
const groupSizes = { least: 32, most: 4_096 }

/**
 * Runs relatives of what was worth keeping, and keeps what runs code that never ran or is answered as
 * nothing was. A group of inputs is run before coverage is asked for, which is slow; only a group that
 * found something is run again, halved until the inputs that did it are known.
 */
export async function fuzzLoop(options: FuzzLoopOptions): Promise<FuzzReport> {
  const { target, coverage = blind, seed, inputs, seconds, about } = options
  const random = createRandom(seed)
  const corpus: Uint8Array[] = []
  const outcomes = new Map<string, number>()
  const findings = new Map<string, Finding>()
  const startedAt = performance.now()
  const secondsPassed = (): number => (performance.now() - startedAt) / 1000
  let done = 0

  async function run(input: Uint8Array): Promise<string> {
    about(input)
    try {
      const outcome = target.run(input)
      return typeof outcome === 'string' ? outcome : await outcome
    } catch (error) {
      const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
      const kind = `broken: ${message.replaceAll(/\d+/g, '#').slice(0, 120)}`
      if (!findings.has(kind))
        findings.set(kind, { message: await stackOf(input, message), input: copyOf(input) })
      return kind
    }
  }

  /** The same once more, with what refusals do without for speed. */
  async function stackOf(input: Uint8Array, message: string): Promise<string> {
    Error.stackTraceLimit = 30
    try {
      await target.run(input)
      return `${message}, but not when it ran again`
    } catch (error) {
      return error instanceof Error ? (error.stack ?? message) : message
    } finally {
      Error.stackTraceLimit = 0
    }
  }

  function keep(input: Uint8Array): void {
    if (corpus.length < maxCorpus) corpus.push(copyOf(input))
    else corpus[random.below(corpus.length)] = copyOf(input)
  }

  /** Runs the group again in ever smaller parts, and keeps the inputs that ran something new. */
  async function keepWhatRan(novelty: Novelty, group: readonly Uint8Array[]): Promise<void> {
    for (const input of group) await run(input)
    if (!coverage.hasRun(novelty)) return
    const [only, ...others] = group
    if (only !== undefined && others.length === 0) return keep(only)
    const half = group.length >> 1
    await keepWhatRan(novelty, group.slice(0, half))
    await keepWhatRan(novelty, group.slice(half))
  }

  function next(): Uint8Array {
    let input = random.pick(corpus)
    // Large ones cost as much as thousands of small ones, and say little more.
    while (input.length > 4_096 && !random.chance(0.0005)) input = random.pick(corpus)
    let other = random.pick(corpus)
    while (other.length > 4_096 && !random.chance(0.002)) other = random.pick(corpus)
    return target.mutate(input, other, random)
  }

  async function runGroup(group: readonly Uint8Array[]): Promise<void> {
    for (const input of group) {
      const outcome = await run(input)
      const count = outcomes.get(outcome) ?? 0
      outcomes.set(outcome, count + 1)
      if (count === 0) keep(input)
    }
    done += group.length
  }

  // A tenth of the time of most refusals is their stack.
  Error.stackTraceLimit = 0
  const seeds = options.corpus.length > 0 ? options.corpus : target.seeds(random)
  for (const input of seeds) keep(input)
  await runGroup(seeds)
  coverage.takeNew()
  let groupSize = groupSizes.least
  while (done < inputs && secondsPassed() < seconds && findings.size < maxFindings) {
    const group = Array.from({ length: Math.min(groupSize, inputs - done) }, next)
    await runGroup(group)
    const novelty = coverage.takeNew()
    if (novelty.size > 0) await keepWhatRan(novelty, group)
    groupSize = novelty.size > 0 ? groupSizes.least : Math.min(groupSize * 2, groupSizes.most)
  }

  return {
    inputs: done,
    seconds: secondsPassed(),
    corpus,
    outcomes: [...outcomes].toSorted((a, b) => b[1] - a[1]),
    shares: coverage.shares(),
    findings: [...findings.values()],
  }
}

const blind: Coverage = { takeNew: () => new Map(), hasRun: () => false, shares: () => ({}) }

const copyOf = (input: Uint8Array): Uint8Array => Uint8Array.from(input)
