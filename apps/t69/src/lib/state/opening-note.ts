/**
 * A breaker for starts that crash. A space or a chat can be larger than the memory that the browser gives a page: then each
 * start would open it again, and crash again. So the page notes what it is about to open, and removes the note once that is
 * on screen, or when it is left. A note that is found with no page behind it is of a page that crashed.
 *
 * The notes are in localStorage, which is written at once. A page that has one holds a lock, which ends with it.
 */

/** What a page was opening when it crashed: a chat, or else the space itself. */
export interface Crash {
  readonly spaceId: string
  readonly treeId: string | null
}

const prefix = 't69-opening/'
/** How long a page waits for its next frame, in ms: one in the background has none. */
const frameMs = 500

export interface OpeningNote {
  /** Notes what is about to be opened. Call what is returned once it is open, which is noted until it has been painted. */
  begin(place: Crash): () => void
}

/** One per page. */
export function createOpeningNote(): OpeningNote {
  const key =
    prefix + Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join('')
  const places = new Set<Crash>()
  let isHeld = false

  function write(): void {
    if (places.size === 0) attempt(() => localStorage.removeItem(key))
    else attempt(() => localStorage.setItem(key, JSON.stringify(Array.from(places))))
  }
  addEventListener('pagehide', () => {
    places.clear()
    write()
  })

  return {
    begin(place) {
      if (!isHeld) {
        isHeld = true
        // Held until the page ends.
        void locks()
          ?.request(key, () => new Promise(() => {}))
          .catch(() => {})
        attempt(() => sessionStorage.setItem(prefix, key))
      }
      places.add(place)
      write()
      const remove = (): void => {
        if (places.delete(place)) write()
      }
      return () => {
        setTimeout(remove, frameMs)
        // After the frame that paints it.
        requestAnimationFrame(() => setTimeout(remove))
      }
    },
  }
}

/** Finds, and removes, the notes of pages that crashed. */
export async function takeCrashes(): Promise<Crash[]> {
  const keys = attempt(() => Object.keys(localStorage).filter((key) => key.startsWith(prefix))) ?? []
  if (keys.length === 0) return []
  const held = await locks()
    ?.query()
    .then(({ held = [] }) => new Set(held.map(({ name }) => name)))
    .catch(() => undefined)
  // Without locks, only the notes of this tab are known to have no page behind them: it shows another one now.
  const own = attempt(() => sessionStorage.getItem(prefix))
  return keys
    .filter((key) => (held === undefined ? key === own : !held.has(key)))
    .flatMap((key) => {
      const noted = attempt(() => localStorage.getItem(key)) ?? ''
      attempt(() => localStorage.removeItem(key))
      return crashIn(noted)
    })
}

function crashIn(noted: string): Crash[] {
  const value: unknown = attempt(() => JSON.parse(noted))
  const crashes = [value].flat().flatMap((it: unknown): Crash[] => {
    if (typeof it !== 'object' || it === null || !('spaceId' in it)) return []
    const treeId = 'treeId' in it && typeof it.treeId === 'string' ? it.treeId : null
    return typeof it.spaceId === 'string' ? [{ spaceId: it.spaceId, treeId }] : []
  })
  // A space whose chats were being opened was open itself.
  const opened = new Set(crashes.flatMap(({ spaceId, treeId }) => (treeId === null ? [] : spaceId)))
  return crashes.filter(({ spaceId, treeId }) => treeId !== null || !opened.has(spaceId))
}

/** Browsers leave locks out of pages over plain HTTP. */
function locks(): LockManager | undefined {
  return 'locks' in navigator ? navigator.locks : undefined
}

/** The browser may refuse storage: there is no breaker then. */
function attempt<T>(action: () => T): T | undefined {
  try {
    return action()
  } catch {
    return undefined
  }
}
