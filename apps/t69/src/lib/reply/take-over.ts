import type { Tree, Vertex } from '../model/tree.ts'
import type { SpaceView } from '../state/space-view.svelte.ts'

/**
 * A reply whose device is gone is answered by one other device, also when several people ask for that at the same moment.
 * Each notes a claim beside the reply. Once its own is committed, it knows of all that were before, and soon of those that
 * were made in the same moment: the first of them by name goes on, and the others leave it to that one.
 */

const prefix = 'claim.'
/** How long the claims of one moment may take to get about, in ms. */
const settleMs = 1_000
/** How long a claim counts, in ms: whoever made it may be gone as well. One from the future counts no longer. */
const countsMs = 30_000
/** How long the server may take to commit a claim, in ms. Without it, nobody else can have claimed either. */
const patienceMs = 5_000

/** Whether this device is to answer in place of the one that is gone. */
export async function claim(view: SpaceView, tree: Tree, lostId: string): Promise<boolean> {
  const vertex = tree.getVertex(lostId)
  if (vertex === undefined) return false
  if (view.status.phase !== 'live') return true
  const own = prefix + crypto.randomUUID()
  const versions = siblingsOf(vertex)
  vertex.setProperty(own, Date.now())
  await view.space.flushed({ signal: AbortSignal.timeout(patienceMs) }).catch(() => undefined)
  await new Promise((resolve) => void setTimeout(resolve, settleMs))
  const [first] = claimsOn(vertex, Date.now()).toSorted()
  // Another version has begun: somebody was faster.
  return first === own && siblingsOf(vertex) === versions
}

/** The claims that count at `now`, in Unix ms: those made about then, by whatever clock. */
export function claimsOn(vertex: Vertex, now: number): string[] {
  return Object.entries(vertex.getProperties()).flatMap(([key, madeAt]) =>
    key.startsWith(prefix) && typeof madeAt === 'number' && Math.abs(now - madeAt) <= countsMs ? [key] : [],
  )
}

const siblingsOf = ({ parent }: Vertex): number => parent?.children.length ?? 0
