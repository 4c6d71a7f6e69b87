import { expect } from 'vitest'

/** Reads until it reads the same twice, 200 ms apart, and resolves with that. The browser may glide to where it scrolls. */
export async function settled<T>(read: () => Promise<T>): Promise<T> {
  let last = await read()
  const isSame = async (): Promise<boolean> => {
    const before = JSON.stringify(last)
    last = await read()
    return JSON.stringify(last) === before
  }
  await expect.poll(isSame, { interval: 200 }).toBe(true)
  return last
}
