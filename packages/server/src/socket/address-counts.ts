/** Counts the connections of each address. */
export interface AddressCounts {
  of(address: string): number
  /** Counts one more, until the returned function is called. */
  add(address: string): () => void
}

export function createAddressCounts(): AddressCounts {
  const counts = new Map<string, number>()
  const of = (address: string): number => counts.get(address) ?? 0
  return {
    of,
    add: (address) => {
      counts.set(address, of(address) + 1)
      return () => {
        const left = of(address) - 1
        if (left > 0) counts.set(address, left)
        else counts.delete(address)
      }
    },
  }
}
