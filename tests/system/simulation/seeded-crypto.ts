import type { Random } from '../../lib/random.ts'

/**
 * Ids come from the platform's `crypto`, and order breaks ties by peer id: a run repeats exactly only if
 * its ids do. Seeds the two functions that ids are made with until it is disposed.
 */
export function seedCrypto(random: Random): Disposable {
  const hex = (digits: number): string =>
    Array.from({ length: digits }, () => random.below(16).toString(16)).join('')
  crypto.getRandomValues = (array) => {
    if (array === null) return array
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength).forEach((_, index, bytes) => {
      bytes[index] = random.below(256)
    })
    return array
  }
  crypto.randomUUID = () => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`
  return {
    [Symbol.dispose]: () => {
      // The platform's own are on the prototype.
      Reflect.deleteProperty(crypto, 'getRandomValues')
      Reflect.deleteProperty(crypto, 'randomUUID')
    },
  }
}
