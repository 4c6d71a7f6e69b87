import { Session, type Profiler } from 'node:inspector'

/** By file, for each character: 0 is no code, 1 code that did not run, 2 code that did. */
type Marks = ReadonlyMap<string, Uint8Array>

/** By file, where code ran that never ran before. */
export type Novelty = ReadonlyMap<string, readonly number[]>

/** Which of the watched code runs, by blocks, as V8 counts it for the thread that asks. Asking takes milliseconds. */
export interface Coverage {
  /** What ran since it was last asked and never before. Empty, mostly. */
  takeNew(): Novelty
  /** Whether anything of `novelty` ran since it was last asked. */
  hasRun(novelty: Novelty): boolean
  /** The share of each file's code that ran so far, by characters, 0 to 1. */
  shares(): Record<string, number>
}

/** `watches` are parts of paths. Before what is watched is loaded: what ran earlier is not seen. */
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
  // Outer ones come first, and inner ones say it better.
  for (const { startOffset, endOffset, count } of ranges)
    marks.fill(count > 0 ? 2 : 1, startOffset, endOffset)
  return marks
}
