import { z } from 'zod'

/** Knows which other tabs there are, so that a tab that is alone need not serialise messages that no one reads. */
export interface OtherTabs {
  /** True only while that is certain: no other tab lives, and one that opens makes itself known first. */
  readonly alone: boolean
  join(onLate: () => void): Promise<void>
  /** A message of another tab has arrived. A tab of an older release does not make itself known otherwise. */
  heard(): void
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
 * How long a tab that opens waits for the answers of the others, in milliseconds. A tab that is frozen or busy answers
 * later: until then, it may store edits without posting them.
 */
const answerMs = 300

const greetingSchema = z.object({ from: z.string(), to: z.string().nullable() })

export function createOtherTabs({ name, id, signal, entered, living, watch }: OtherTabsDeps): OtherTabs {
  const channel = new BroadcastChannel(`${name}-join`)
  const known = new Set<string>()
  const awaited = new Set<string>()
  const answered = Promise.withResolvers<void>()
  let isCertain = false
  /** Set once `join` has stopped waiting. */
  let tellLate: (() => void) | null = null

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
    if (awaited.delete(greeting.from)) tellLate?.()
    if (awaited.size === 0) answered.resolve()
  })
  signal.addEventListener('abort', () => {
    channel.close()
    answered.resolve()
  })
  // A page that was frozen or set aside may have missed greetings.
  const doubt = (): void => {
    isCertain = false
  }
  if (typeof document !== 'undefined') {
    document.addEventListener('freeze', doubt, { signal })
    addEventListener('pagehide', doubt, { signal })
  }

  /** Meets every tab that lives, and returns them. */
  async function meetLiving(): Promise<readonly string[]> {
    const others = (await living()).filter((tab) => tab !== id)
    for (const tab of others) meet(tab)
    // A tab that opens after this look sees the lock of this tab, and greets it.
    isCertain = true
    return others
  }

  /** Meets every tab that lives, and waits until each has answered. */
  async function greetLiving(): Promise<void> {
    if (!(await entered)) return
    for (const tab of await meetLiving()) awaited.add(tab)
    if (awaited.size === 0) return
    greet(null)
    await answered.promise
  }

  return {
    get alone() {
      return isCertain && known.size === 0
    },
    async join(onLate) {
      const timer = setTimeout(answered.resolve, answerMs)
      await Promise.race([greetLiving().catch(() => {}), answered.promise])
      clearTimeout(timer)
      tellLate = onLate
    },
    heard() {
      if (!isCertain || known.size > 0) return
      isCertain = false
      // Without a look at the locks it stays uncertain, and everything is posted.
      void meetLiving().catch(() => {})
    },
  }
}
