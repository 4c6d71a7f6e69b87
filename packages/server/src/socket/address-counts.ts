/** How many connections each address has. */
export interface AddressCounts {
  of(address: string): number
  /** Counts one more, until what is returned is called. */
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
