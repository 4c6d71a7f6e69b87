import { hostileKeys, hostileNames, hostileTexts } from './mutate-batch.ts'

/** Reads bytes as a script of choices. Once they are used up, every choice is the first. */
export interface Draw {
  readonly left: number
  /** An integer, 0 to `bound` - 1. */
  below(bound: number): number
  pick<T>(items: readonly T[]): T
  /** The next bytes of the script, up to `length`. */
  bytes(length: number): Uint8Array
}

export function createDraw(script: Uint8Array): Draw {
  let at = 0
  const below = (bound: number): number => {
    const low = script[at++] ?? 0
    return (bound <= 256 ? low : low * 256 + (script[at++] ?? 0)) % bound
  }
  return {
    get left() {
      return Math.max(0, script.length - at)
    },
    below,
    pick: (items) => {
      if (items.length === 0) throw new RangeError('nothing to pick from')
      return items[below(items.length)] as (typeof items)[number]
    },
    bytes: (length) => {
      const bytes = script.subarray(at, at + length)
      at += bytes.length
      return bytes
    },
  }
}

const numbers = [0, -1, 1, 1.5, 2 ** 31, 2 ** 53, 2 ** 53 - 1, -0, Infinity, 1e-7]

/** Built once: the deepest take longer to build than to refuse. */
const nestedValues = [3, 64, 65, 2_000, 2_000, 100_000].map((depth) => {
  let value: unknown = []
  for (let left = depth; left > 1; left--) value = [value]
  return value
})

/** Draws anything that a socket or a body can carry: any JSON, bytes if they are possible, nothing. */
export function drawValue(draw: Draw, depth = 0): unknown {
  switch (draw.below(depth > 3 ? 6 : 12)) {
    case 0:
      return undefined
    case 1:
      return null
    case 2:
      return draw.pick(numbers)
    case 3:
      return draw.pick(hostileNames)
    case 4:
      return draw.below(2) === 0
    case 5:
      return draw.pick(hostileKeys).repeat(draw.pick([1, 1, 1, 1, 1, 10, 5_000]))
    case 6:
      return Uint8Array.from(draw.bytes(draw.below(64)))
    case 7:
      return Array.from({ length: draw.below(4) }, () => drawValue(draw, depth + 1))
    case 8:
      return draw.pick(nestedValues)
    case 9:
      return JSON.parse('{"__proto__":{"spaceId":"a","isAdmin":true},"constructor":{"prototype":{"ok":1}}}')
    case 10:
      return parsed(draw.pick(hostileTexts))
    default:
      return Object.fromEntries(
        Array.from({ length: draw.below(4) }, () => [draw.pick(hostileKeys), drawValue(draw, depth + 1)]),
      )
  }
}

/** Draws a variant of a value: with a field changed, dropped or added, something else altogether, or, often, unchanged. */
export function drawRelative(draw: Draw, honest: Readonly<Record<string, unknown>>): unknown {
  const names = Object.keys(honest)
  const name = names[draw.below(Math.max(1, names.length))] ?? 'spaceId'
  switch (draw.below(8)) {
    case 0:
      return drawValue(draw)
    case 1:
      return { ...honest, [name]: drawValue(draw) }
    case 2:
      return Object.fromEntries(Object.entries(honest).filter(([it]) => it !== name))
    case 3:
      return { ...honest, [draw.pick(hostileKeys)]: drawValue(draw) }
    default:
      return honest
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
