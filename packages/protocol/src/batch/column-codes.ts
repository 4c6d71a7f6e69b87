/** What an operation is. To the last two, twice the key's index is added. */
export const kindCodes = { move: 0, rootMove: 1, set: 2, removal: 3 } as const

export function isSet(kind: number): boolean {
  return kind >= kindCodes.set && kind % 2 === 0
}

/**
 * How the vertices column names a vertex: the one before (as a target the target before, as a parent the
 * parent before), the next entry of the dictionary, or, from `newest` on, an entry counted back from the newest.
 */
export const vertexCodes = { same: 0, fresh: 1, newest: 2 } as const
