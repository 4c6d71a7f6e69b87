/** Nobody holds the lock for a task this long (two requests of 20 s) but a tab that was frozen in the midst. */
const longestTaskMs = 60_000

/**
 * Runs a task while no other tab of this origin runs one under the same lock. A tab that is frozen in the midst
 * of its own is not waited for longer than a minute. Where the browser has no Web Locks (a page that came over
 * plain HTTP, from elsewhere than this machine), or refuses them with all other site data, the task runs at once.
 */
export async function oneTabAtATime<T>(lock: string, task: () => Promise<T>): Promise<T> {
  if (!('locks' in navigator)) return task()
  const patience = AbortSignal.timeout(longestTaskMs)
  let began = false
  const begin = (): Promise<T> => {
    began = true
    return task()
  }
  try {
    return await navigator.locks.request(lock, { signal: patience }, begin)
  } catch (error) {
    if (began) throw error
    return patience.aborted ? navigator.locks.request(lock, { steal: true }, task) : task()
  }
}
