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
  /** The inputs that were worth keeping. */
  readonly corpus: readonly Uint8Array[]
  /** The number of inputs with each outcome, most frequent first. */
  readonly outcomes: readonly (readonly [string, number])[]
  readonly shares: Record<string, number>
  readonly findings: readonly Finding[]
}

export interface FuzzLoopOptions {
  readonly target: FuzzTarget
  /** Without it, only outcomes guide the run, at about twice the speed. */
  readonly coverage: Coverage | undefined
  /** The inputs that an earlier run kept, used instead of the target's seeds. */
  readonly corpus: readonly Uint8Array[]
  readonly seed: number
  readonly inputs: number
  /** Stops after this time even if inputs are left. */
  readonly seconds: number
  /** Called with each input before it runs, so that a watcher knows which one hangs. */
  readonly about: (input: Uint8Array) => void
}

const maxCorpus = 5_000
const maxFindings = 10
/** The most inputs between two readings of the coverage. There are fewer while each group finds something. */
const groupSizes = { least: 32, most: 4_096 }

/**
 * Runs mutations of the inputs worth keeping, and keeps those that run new code or have a new outcome. Reading the
 * coverage is slow, so it is read once for a group of inputs. Only a group that found something is run again, in halves,
 * until the inputs that found it are known.
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

  /** Runs a failing input again with stack traces, which are otherwise off for speed. */
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

  /** Runs a group again in smaller and smaller parts, and keeps the inputs that ran new code. */
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
    // A large input costs as much as thousands of small ones, and finds little more.
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

  // Stack traces take a tenth of the time of most refusals.
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
