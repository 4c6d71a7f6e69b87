import type { Page } from 'playwright-core'

/** Every row of a store of the page's `localDb`, read past the app, as JSON has it. */
export async function readStore(page: Page, store: string): Promise<Record<string, unknown>[]> {
  return await page.evaluate(async (name) => {
    const settled = async <T>(request: IDBRequest<T>): Promise<T> =>
      await new Promise((resolve, reject) => {
        request.addEventListener('success', () => resolve(request.result))
        request.addEventListener('error', () => reject(request.error ?? new Error(`${name} cannot be read`)))
      })
    const db = await settled(indexedDB.open('localDb'))
    try {
      return await settled<Record<string, unknown>[]>(db.transaction(name).objectStore(name).getAll())
    } finally {
      db.close()
    }
  }, store)
}
