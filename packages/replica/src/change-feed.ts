import type { JsonValue, VertexChangeEvent } from 'reptree'

import type { VertexNode } from './vertex-node.ts'

type EventListener = (events: VertexChangeEvent[]) => void

/** The changes of one vertex since the last delivery. */
interface Change {
  /** Its parent at the last delivery. `oldParentId` is undefined if the vertex is new. */
  moved: { oldParentId: string | null | undefined } | undefined
  children: boolean
  readonly keys: Set<string>
}

/** The shortest time between two deliveries, in ms: RepTree's own interval. */
const deliveryIntervalMs = 33

/**
 * Collects changes, and delivers them as RepTree's change events: what changed since the last delivery, however often.
 * After a pause, the first changes are delivered as soon as the code that makes them has run, and those that follow an
 * interval later. RepTree's interval runs as long as the process; this timer runs only while changes wait, and keeps no
 * process alive. Changes that have no listener are not collected.
 */
export class ChangeFeed {
  readonly #find: (vertexId: string) => VertexNode | undefined
  readonly #run: (listener: () => void) => void
  readonly #byVertex = new Map<string, Set<EventListener>>()
  readonly #everywhere = new Set<EventListener>()
  #changes = new Map<string, Change>()
  #cancelTick: (() => void) | undefined
  #deliveredAt = -Infinity

  /** `run` calls a listener and handles the errors that it throws. */
  constructor(find: (vertexId: string) => VertexNode | undefined, run: (listener: () => void) => void) {
    this.#find = find
    this.#run = run
  }

  listen(vertexId: string, listener: EventListener): void {
    const listeners = this.#byVertex.get(vertexId)
    if (listeners === undefined) this.#byVertex.set(vertexId, new Set([listener]))
    else listeners.add(listener)
  }

  unlisten(vertexId: string, listener: EventListener): void {
    const listeners = this.#byVertex.get(vertexId)
    listeners?.delete(listener)
    if (listeners?.size === 0) this.#byVertex.delete(vertexId)
  }

  listenEverywhere(listener: EventListener): void {
    this.#everywhere.add(listener)
  }

  unlistenEverywhere(listener: EventListener): void {
    this.#everywhere.delete(listener)
  }

  moved(vertexId: string, oldParentId: string | null | undefined): void {
    const change = this.#change(vertexId)
    if (change !== undefined) change.moved ??= { oldParentId }
  }

  childrenChanged(vertexId: string): void {
    const change = this.#change(vertexId)
    if (change !== undefined) change.children = true
  }

  propertyChanged(vertexId: string, key: string): void {
    this.#change(vertexId)?.keys.add(key)
  }

  deliver(): void {
    this.#cancelTick?.()
    this.#cancelTick = undefined
    this.#deliveredAt = performance.now()
    const changes = this.#changes
    this.#changes = new Map()
    for (const [vertexId, change] of changes) {
      const node = this.#find(vertexId)
      const events = node === undefined ? [] : eventsFor(node, change)
      if (events.length === 0) continue
      this.#tell(this.#everywhere, events)
      const listeners = this.#byVertex.get(vertexId)
      if (listeners !== undefined) this.#tell(listeners, events)
    }
  }

  dispose(): void {
    this.#cancelTick?.()
    this.#cancelTick = undefined
    this.#changes.clear()
    this.#byVertex.clear()
    this.#everywhere.clear()
  }

  /** Calls the listeners that were there when the call began and have not been removed since. */
  #tell(listeners: ReadonlySet<EventListener>, events: VertexChangeEvent[]): void {
    for (const listener of Array.from(listeners)) {
      if (listeners.has(listener)) this.#run(() => listener(events))
    }
  }

  #change(vertexId: string): Change | undefined {
    if (this.#everywhere.size === 0 && !this.#byVertex.has(vertexId)) return undefined
    let change = this.#changes.get(vertexId)
    if (change === undefined) {
      change = { moved: undefined, children: false, keys: new Set() }
      this.#changes.set(vertexId, change)
      this.#cancelTick ??= startTick(
        () => this.deliver(),
        Math.max(0, this.#deliveredAt + deliveryIntervalMs - performance.now()),
      )
    }
    return change
  }
}

/** RepTree's events for a change: the last move, the children as they are now, and each key once. */
function eventsFor(node: VertexNode, change: Change): VertexChangeEvent[] {
  const events: (VertexChangeEvent & Record<string, unknown>)[] = []
  const vertexId = node.id
  if (change.moved !== undefined && change.moved.oldParentId !== node.parentId) {
    const { oldParentId } = change.moved
    events.push({ type: 'move', vertexId, oldParentId, newParentId: node.parentId })
  }
  if (change.children) events.push({ type: 'children', vertexId, children: [...node.orderedChildren()] })
  for (const key of change.keys) {
    const value: JsonValue | undefined = node.getProperty(key)
    events.push({ type: 'property', vertexId, key, value })
  }
  return events
}

function startTick(deliver: () => void, waitMs: number): () => void {
  const timer: unknown = setTimeout(deliver, waitMs)
  if (typeof timer === 'object' && timer !== null && 'unref' in timer && typeof timer.unref === 'function') {
    timer.unref()
  }
  return () => clearTimeout(timer as ReturnType<typeof setTimeout>)
}
