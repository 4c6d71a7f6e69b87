import { SingleBar } from 'cli-progress'

/**
 * Draws how far something is on standard error, if that is a terminal, and takes the bar away again. Elsewhere nothing is drawn:
 * whoever reads a file of lines wants none of it.
 */
export function withProgress<Result>(
  { isTerminal }: { readonly isTerminal: boolean },
  work: (progress: (done: number, total: number) => void) => Result,
): Result {
  if (!isTerminal) return work(() => {})
  const bar = new SingleBar({ format: '{bar} {percentage} % of {total} operations', clearOnComplete: true })
  bar.start(0, 0)
  try {
    return work((done, total) => {
      bar.setTotal(total)
      bar.update(done)
    })
  } finally {
    bar.stop()
  }
}
