import type { Random } from '../../lib/random.ts'

/**
 * Seeds the two functions of the platform's `crypto` that ids are created with, until it is disposed. The order of
 * operations depends on peer ids, so a run repeats exactly only if its ids do.
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
      // The platform's functions are on the prototype.
      Reflect.deleteProperty(crypto, 'getRandomValues')
      Reflect.deleteProperty(crypto, 'randomUUID')
    },
  }
}
