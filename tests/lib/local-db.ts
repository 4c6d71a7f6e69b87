import type { Page } from 'playwright-core'

/** Reads every row of a store of the page's `localDb` as JSON, without the app. */
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

/** Blocks stores of the page's `localDb`, as a slow disk does: no other transaction runs until they are released. */
export async function holdStores(page: Page, ...stores: string[]): Promise<() => Promise<void>> {
  const held = await page.evaluateHandle(
    async ([first = '', ...others]) =>
      await new Promise<{ release(): void }>((resolve, reject) => {
        let isHeld = true
        const release = (): void => {
          isHeld = false
        }
        const opening = indexedDB.open('localDb')
        opening.addEventListener('error', () =>
          reject(opening.error ?? new Error('localDb cannot be opened')),
        )
        opening.addEventListener('success', () => {
          const db = opening.result
          const rows = db.transaction([first, ...others], 'readwrite').objectStore(first)
          // A transaction stays open as long as there are requests.
          const keepOn = (): void => {
            resolve({ release })
            if (isHeld) rows.count().addEventListener('success', keepOn)
            else db.close()
          }
          rows.count().addEventListener('success', keepOn)
        })
      }),
    stores,
  )
  return async () => {
    await held.evaluate((holder) => holder.release())
  }
}

/** Waits until all transactions on the page's `localDb` that are under way now are over, those of other tabs too. */
export async function transactionsOver(page: Page): Promise<void> {
  await page.evaluate(
    async () =>
      await new Promise<void>((resolve, reject) => {
        const opening = indexedDB.open('localDb')
        opening.addEventListener('error', () =>
          reject(opening.error ?? new Error('localDb cannot be opened')),
        )
        opening.addEventListener('success', () => {
          const db = opening.result
          const last = db.transaction(db.objectStoreNames, 'readwrite')
          last.addEventListener('complete', () => {
            db.close()
            resolve()
          })
          last.addEventListener('abort', () => reject(last.error ?? new Error('given up')))
        })
      }),
  )
}
