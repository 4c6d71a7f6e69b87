/** The kinds of operations. Twice the index of the key is added to `set` and `removal`. */
export const kindCodes = { move: 0, rootMove: 1, set: 2, removal: 3 } as const

export function isSet(kind: number): boolean {
  return kind >= kindCodes.set && kind % 2 === 0
}

/**
 * How the vertices column refers to a vertex. `same`: the previous target, or for a parent the previous parent.
 * `fresh`: the next entry of the dictionary. From `newest` up: an entry, counted back from the newest one used.
 */
export const vertexCodes = { same: 0, fresh: 1, newest: 2 } as const
