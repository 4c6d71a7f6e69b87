import { tabLocks } from './tab-locks.ts'

/**
 * The longest wait for the lock, in ms. A task takes two requests of 20 s at most, so a tab that holds the lock for longer
 * was frozen during its task.
 */
const longestTaskMs = 60_000

/**
 * Runs a task while no other tab of this origin runs one under the same lock. Waits at most a minute for a tab that was
 * frozen during its own task. Where the browser refuses locks together with all site data, the task runs at once. In a
 * page that goes, it does not run: rejects with the browser's `InvalidStateError`.
 *
 *     await oneTabAtATime('first-space', async () => {
 *       if ((await client.listSpaces()).length === 0) await client.createSpace({ name: 'Home' })
 *     })
 */
export async function oneTabAtATime<T>(lock: string, task: () => Promise<T>, locks = tabLocks()): Promise<T> {
  if (locks === undefined) return task()
  const patience = AbortSignal.timeout(longestTaskMs)
  let began = false
  const begin = (): Promise<T> => {
    began = true
    return task()
  }
  try {
    return await locks.request(lock, { signal: patience }, begin)
  } catch (error) {
    if (began || isOfGoingPage(error)) throw error
    return patience.aborted ? locks.request(lock, { steal: true }, task) : task()
  }
}

/** The browser refuses the locks of a document that is no longer active. Another tab may hold this one. */
function isOfGoingPage(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'InvalidStateError'
}
