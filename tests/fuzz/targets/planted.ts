import type { FuzzTarget } from '../fuzz-target.ts'
import { mutateBytes } from '../mutate-bytes.ts'

/** The faults that a fuzzer has to notice, by the first byte of an input. */
export const planted = { throws: 1, hangs: 2, devours: 3 } as const

/** Fails on purpose, to test that the fuzzer notices. */
export function plantedTarget(): FuzzTarget {
  return {
    seeds: () => [Uint8Array.of(0, 0)],
    mutate: mutateBytes,
    run: (input) => {
      const hoard: number[][] = []
      switch (input[0]) {
        case planted.throws:
          throw new Error('planted')
        case planted.hangs:
          for (;;) if (hoard.length > 0) return 'never'
        case planted.devours:
          for (;;) hoard.push(Array.from({ length: 10_000 }, (_, index) => index))
        default:
          return 'fine'
      }
    },
  }
}
