/** Does `work` for 0 to `count` - 1, in that order, `atOnce` of them at the same time. */
export async function forEachOf(
  count: number,
  atOnce: number,
  work: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0
  async function workOn(): Promise<void> {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: atOnce }, workOn))
}
