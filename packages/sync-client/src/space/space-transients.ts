import type { SpaceId, TransientChange, TreeId, TreeOperation } from '@t69/protocol'

import type { Runtime } from '../runtime/index.ts'
import type { Tell } from '../tabs/index.ts'
import type { LocalTransient, OpenTrees } from './open-trees.ts'
import { createTransientReceiver } from './transient-receiver.ts'
import { createTransientSender } from './transient-sender.ts'

/** The transient values of a space, which are shown and never stored: those of this tab, and those of others. */
export interface SpaceTransients {
  /** A value was set in this tab. */
  made(change: LocalTransient): void
  /** An edit was made in this tab: it takes the place of a transient value of the same property. */
  edited(op: TreeOperation): void
  /** A tree was filled: the values held for it can be shown. */
  filled(treeId: TreeId): void
  /** Stored operations of others were merged. */
  merged(ops: readonly TreeOperation[]): void
  /** Another tab of this device set values. */
  heardFromTab(tab: string, changes: readonly TransientChange[]): void
  /** The connection of another device that shows a value in a place, if one does. */
  connectionAt(place: Pick<TransientChange, 'treeId' | 'targetId' | 'key'>): string | undefined
  /** Another device set values. */
  heardFromConnection(connectionId: string, changes: readonly TransientChange[]): void
  /** Removes the values of all connections that are not among these. */
  keepConnections(connectionIds: ReadonlySet<string>): void
  /** Removes the values of a tab that closed. */
  tabLeft(tab: string): void
  /** Another tab leads now: removes the values of other tabs, each of which sends its own again. */
  leaderChanged(): void
  /** Sends this tab's values again, for somebody who has just come. */
  repeat(): void
  /** Forgets all values, and sends no more of them. */
  forget(): void
}

export interface SpaceTransientsDeps {
  readonly spaceId: SpaceId
  /** The id by which other tabs know this tab. */
  readonly tab: string
  readonly runtime: Runtime
  readonly tell: Tell
  readonly trees: Pick<OpenTrees, 'get'>
}

/** Distinguishes other tabs from the connections of other devices among the senders. */
const tabPrefix = 'tab:'

export function createSpaceTransients({
  spaceId,
  tab,
  runtime,
  tell,
  trees,
}: SpaceTransientsDeps): SpaceTransients {
  const sender = createTransientSender(runtime, (changes) =>
    tell({ type: 'transients-made', spaceId, tab, changes }),
  )
  const receiver = createTransientReceiver(({ treeId, targetId, key, opId }, value) => {
    const id = opId && { counter: opId.clock, peerId: opId.peerId }
    trees.get(treeId)?.showTransient(targetId, key, value, id)
  })
  return {
    made: (change) => sender.set(change),
    edited(op) {
      if (op.key !== undefined) sender.stored(op)
    },
    filled: (treeId) => receiver.showAgain(treeId),
    merged(ops) {
      const grown = new Set<TreeId>()
      for (const op of ops) {
        if (op.key === undefined) grown.add(op.treeId)
        else {
          receiver.stored(op)
          sender.merged(op)
        }
      }
      // A value may have arrived before its vertex.
      for (const treeId of grown) receiver.showAgain(treeId)
    },
    heardFromTab: (from, changes) => receiver.apply(tabPrefix + from, changes),
    heardFromConnection: (connectionId, changes) => receiver.apply(connectionId, changes),
    connectionAt(place) {
      const from = receiver.from(place)
      return from?.startsWith(tabPrefix) === true ? undefined : from
    },
    keepConnections: (ids) => receiver.keepOnly((from) => from.startsWith(tabPrefix) || ids.has(from)),
    tabLeft: (gone) => receiver.keepOnly((from) => from !== tabPrefix + gone),
    leaderChanged() {
      receiver.keepOnly((from) => !from.startsWith(tabPrefix))
      sender.repeatWhole()
    },
    repeat: () => sender.repeatWhole(),
    forget() {
      sender.forget()
      receiver.keepOnly(() => false)
    },
  }
}
