import { z } from 'zod'

/** Which other tabs there are, so that a tab that is alone need not serialise what nobody reads. */
export interface OtherTabs {
  /** True only while it is certain: nobody is here, and whoever comes says so before it reads anything. */
  readonly alone: boolean
  join(): Promise<void>
}

export interface OtherTabsDeps {
  readonly name: string
  readonly id: string
  /** Aborts when this tab closes. */
  readonly signal: AbortSignal
  /** Resolves once the others can see that this tab lives; with false where the browser refuses locks. */
  readonly entered: Promise<boolean>
  readonly living: () => Promise<readonly string[]>
  readonly watch: (tab: string, onGone: () => void) => void
}

/**
 * In milliseconds: how long a newcomer waits for the answers. A tab that is frozen gives none; it stores nothing
 * meanwhile, and never takes itself to be alone again.
 */
const answerMs = 300

const greetingSchema = z.object({ from: z.string(), to: z.string().nullable() })

export function createOtherTabs({ name, id, signal, entered, living, watch }: OtherTabsDeps): OtherTabs {
  const channel = new BroadcastChannel(`${name}-join`)
  const known = new Set<string>()
  const awaited = new Set<string>()
  const answered = Promise.withResolvers<void>()
  let isCertain = false

  function meet(tab: string): void {
    if (known.has(tab)) return
    known.add(tab)
    watch(tab, () => known.delete(tab))
  }

  function greet(to: string | null): void {
    if (!signal.aborted) channel.postMessage({ from: id, to })
  }

  channel.addEventListener('message', (event) => {
    const greeting = greetingSchema.safeParse(event.data).data
    if (greeting === undefined || (greeting.to !== null && greeting.to !== id)) return
    meet(greeting.from)
    if (greeting.to === null) greet(greeting.from)
    awaited.delete(greeting.from)
    if (awaited.size === 0) answered.resolve()
  })
  signal.addEventListener('abort', () => {
    channel.close()
    answered.resolve()
  })
  // A page that was put aside has missed greetings.
  const doubt = (): void => {
    isCertain = false
  }
  if (typeof document !== 'undefined') {
    document.addEventListener('freeze', doubt, { signal })
    addEventListener('pagehide', doubt, { signal })
  }

  /** Meets every tab that lives, and waits until each has answered. */
  async function greetLiving(): Promise<void> {
    if (!(await entered)) return
    for (const tab of await living()) {
      if (tab === id) continue
      meet(tab)
      awaited.add(tab)
    }
    // Whoever comes after this look has the lock of this tab to see, and greets.
    isCertain = true
    if (awaited.size === 0) return
    greet(null)
    await answered.promise
  }

  return {
    get alone() {
      return isCertain && known.size === 0
    },
    async join() {
      const timer = setTimeout(answered.resolve, answerMs)
      await Promise.race([greetLiving().catch(() => {}), answered.promise])
      clearTimeout(timer)
    },
  }
}
