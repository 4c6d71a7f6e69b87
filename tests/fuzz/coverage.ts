import { Session, type Profiler } from 'node:inspector'

/** For each character of each file: 0 if it is not code, 1 if it did not run, 2 if it ran. */
type Marks = ReadonlyMap<string, Uint8Array>

/** The places in each file that ran for the first time. */
export type Novelty = ReadonlyMap<string, readonly number[]>

/** Which blocks of the watched code have run on this thread, as V8 counts them. A call takes milliseconds. */
export interface Coverage {
  /** The code that ran since the last call, and never before. Mostly empty. */
  takeNew(): Novelty
  /** Whether any code of `novelty` ran since the last call. */
  hasRun(novelty: Novelty): boolean
  /** The share of each file's code that has run, by characters, 0 to 1. */
  shares(): Record<string, number>
}

/** Watches files whose path contains one of `watches`. Earlier runs are not counted, so call it before they are loaded. */
export function startCoverage(watches: readonly string[]): Coverage {
  const session = new Session()
  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  const known = new Map<string, Uint8Array>()

  function take(): Marks {
    let scripts: Profiler.ScriptCoverage[] = []
    session.post('Profiler.takePreciseCoverage', (_, taken) => {
      scripts = taken.result
    })
    const isWatched = (url: string) =>
      !url.includes('/testing/') && watches.some((part) => url.includes(part))
    return new Map(scripts.filter(({ url }) => isWatched(url)).map((script) => [script.url, marksOf(script)]))
  }

  return {
    takeNew: () => {
      const novelty = new Map<string, number[]>()
      for (const [url, marks] of take()) {
        let before = known.get(url) ?? new Uint8Array(0)
        if (before.length < marks.length) {
          const grown = new Uint8Array(marks.length)
          grown.set(before)
          known.set(url, (before = grown))
        }
        const fresh: number[] = []
        for (const [at, mark] of marks.entries()) {
          if (mark <= (before[at] ?? 0)) continue
          before[at] = mark
          if (mark === 2) fresh.push(at)
        }
        if (fresh.length > 0) novelty.set(url, fresh)
      }
      return novelty
    },
    hasRun: (novelty) => {
      const taken = take()
      return Array.from(novelty).some(([url, fresh]) => fresh.some((at) => taken.get(url)?.[at] === 2))
    },
    shares: () =>
      Object.fromEntries(
        Array.from(known, ([url, marks]) => {
          const code = marks.reduce((sum, mark) => sum + (mark > 0 ? 1 : 0), 0)
          const ran = marks.reduce((sum, mark) => sum + (mark === 2 ? 1 : 0), 0)
          return [url.slice(url.indexOf('packages/')), code === 0 ? 1 : ran / code]
        }),
      ),
  }
}

function marksOf({ functions }: Profiler.ScriptCoverage): Uint8Array {
  const ranges = functions.flatMap((one) => one.ranges)
  const marks = new Uint8Array(ranges.reduce((end, { endOffset }) => Math.max(end, endOffset), 0))
  // Outer ranges come first, and inner ones are more exact.
  for (const { startOffset, endOffset, count } of ranges)
    marks.fill(count > 0 ? 2 : 1, startOffset, endOffset)
  return marks
}
