/** What a log may hold. A log that holds as much or more takes nothing. */
export interface Bounds {
  readonly ops: number
  readonly bytes: number
}

/** How much the log of a space may hold, for operations of each kind. */
export interface Allotment {
  /** For operations of any kind. */
  readonly any: Bounds
  /** For deletes: at least `any`. */
  readonly deletes: Bounds
  /** For moves that bring back a deleted vertex: at least `deletes`. */
  readonly returns: Bounds
  /** Says what is full, in the refusal: where the bytes of `any` are used up, and otherwise. */
  readonly reasons: { readonly bytes: string; readonly ops: string }
}

/** How many operations a log may still take. */
export interface Headroom {
  /** Operations of any kind. */
  readonly ops: number
  /** Deletes, counted with whatever was taken before them: at least `ops`. */
  readonly deletes: number
  /** Moves that bring back a deleted vertex, counted likewise: at least `deletes`. */
  readonly returns: number
  /** Says what is full, in the refusal. */
  readonly reason: string
}

const endless: Bounds = { ops: Infinity, bytes: Infinity }

export const unlimitedAllotment: Allotment = {
  any: endless,
  deletes: endless,
  returns: endless,
  reasons: { bytes: '', ops: '' },
}

export const unlimitedHeadroom = headroomIn(unlimitedAllotment, { ops: 0, bytes: 0 })

/** The headroom of a log that holds `held`. */
export function headroomIn({ any, deletes, returns, reasons }: Allotment, held: Bounds): Headroom {
  const left = (bounds: Bounds) => (held.bytes >= bounds.bytes ? 0 : Math.max(0, bounds.ops - held.ops))
  const reason = held.bytes >= any.bytes ? reasons.bytes : reasons.ops
  return { ops: left(any), deletes: left(deletes), returns: left(returns), reason }
}
