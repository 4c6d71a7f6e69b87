/** Returns the page's `localStorage`, or undefined. Where cookies are blocked, reading the global throws. */
export function pageStore(): Storage | undefined {
  try {
    return typeof localStorage === 'undefined' ? undefined : localStorage
  } catch {
    return undefined
  }
}
