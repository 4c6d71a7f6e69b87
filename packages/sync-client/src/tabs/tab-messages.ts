import {
  batchBytesSchema,
  decodeBatch,
  digestSchema,
  errorBodySchema,
  jsonValueSchema,
  packBatches,
  presenceSchema,
  roleNameSchema,
  seqSchema,
  signals,
  spaceIdSchema,
  transientChangeSchema,
  treeIdSchema,
  type SpaceId,
  type TreeOperation,
} from '@t69/protocol'
import { z } from 'zod'

import type { Tabs } from './tabs.ts'

/** What tabs tell each other. They may run different releases of an app, so it is parsed on arrival. */

const reportSchema = z.object({
  phase: z.enum(['local', 'signed-out', 'offline', 'connecting', 'catching-up', 'live', 'blocked']),
  role: roleNameSchema.nullable(),
  cursor: seqSchema,
  head: seqSchema,
  error: errorBodySchema.nullable(),
  pushError: errorBodySchema.nullable(),
})

const shownTreeSchema = z.object({ treeId: treeIdSchema, cursor: seqSchema, digest: digestSchema })
const verdictSchema = z.object({
  treeId: treeIdSchema,
  cursor: seqSchema,
  matches: z.boolean().nullable(),
  digest: z.string(),
})
const divergenceSchema = signals['divergence:report'].omit({ spaceId: true, logId: true })

/** Operations travel as batches, which are validated as they are decoded. */
const opsSchema = z.array(batchBytesSchema).transform((batches, context): TreeOperation[] => {
  try {
    return batches.flatMap((bytes) => [...decodeBatch(bytes).ops])
  } catch (error) {
    context.addIssue({ code: 'custom', message: String(error) })
    return z.NEVER
  }
})

const spaceId = spaceIdSchema
const changes = z.array(transientChangeSchema)

const tabMessageSchema = z.discriminatedUnion('type', [
  /** The tab that leads now asks each tab what it has open. */
  z.object({ type: z.literal('leading') }),
  /** Is the tab that leads alive? It says at once that it is. */
  z.object({ type: z.literal('leader-asked') }),
  z.object({ type: z.literal('leader-here') }),
  /** The spaces that a tab has open: all of them. None when it goes. */
  z.object({ type: z.literal('opened'), tab: z.string(), spaceIds: z.array(spaceId) }),
  /** From the leader: the tab is gone, and may not have said so. */
  z.object({ type: z.literal('left'), tab: z.string() }),
  /** Edits that are stored. Without operations: there is something new in the outbox. */
  z.object({ type: z.literal('edited'), spaceId, ops: opsSchema }),
  /** From the leader: operations of others, which are stored. */
  z.object({ type: z.literal('received'), spaceId, ops: opsSchema }),
  /** From the leader: the outbox, or what was refused, has changed. */
  z.object({ type: z.literal('settled'), spaceId }),
  /** Refused edits of these trees are gone from the storage. */
  z.object({ type: z.literal('discarded'), spaceId, treeIds: z.array(treeIdSchema) }),
  z.object({ type: z.literal('reported'), spaceId, report: reportSchema }),
  /** To the leader: a tree as the tab shows it, to be compared with the log's. */
  z.object({ type: z.literal('shown'), spaceId, tab: z.string(), tree: shownTreeSchema }),
  /** From the leader, to the tab that showed it. */
  z.object({ type: z.literal('judged'), spaceId, tab: z.string(), verdict: verdictSchema }),
  /** To the leader: what is stored is not as the log has it. */
  z.object({ type: z.literal('distrusted'), spaceId }),
  /** From the leader: all was read from the log again. */
  z.object({ type: z.literal('rebuilt'), spaceId }),
  /** To the leader: what differed, for the server. */
  z.object({ type: z.literal('diverged'), spaceId, divergence: divergenceSchema }),
  z.object({ type: z.literal('presence-set'), spaceId, state: jsonValueSchema }),
  z.object({ type: z.literal('present'), spaceId, present: z.array(presenceSchema) }),
  /** Transient changes made in a tab, for the others and for the server. */
  z.object({ type: z.literal('transients-made'), spaceId, tab: z.string(), changes }),
  z.object({ type: z.literal('transients-heard'), spaceId, connectionId: z.string(), changes }),
  /** The stored session is another. */
  z.object({ type: z.literal('session-stored') }),
  /** The list of spaces, or what is stored of one (its name, whose it is), may have changed. */
  z.object({ type: z.literal('spaces-changed') }),
  z.object({ type: z.literal('space-deleted'), spaceId }),
  /** Try again to enter a space, whatever the server said before. */
  z.object({ type: z.literal('rejoin'), spaceId }),
])

export type TabMessage = z.output<typeof tabMessageSchema>

export interface TabLine {
  send(message: TabMessage): void
  onMessage(listener: (message: TabMessage) => void): void
}

export function createTabLine(tabs: Tabs): TabLine {
  return {
    send(message) {
      if (!tabs.alone)
        tabs.post('ops' in message ? { ...message, ops: pack(message.spaceId, message.ops) } : message)
    },
    onMessage(listener) {
      tabs.onMessage((raw) => {
        const parsed = tabMessageSchema.safeParse(raw)
        if (parsed.success) listener(parsed.data)
      })
    },
  }
}

function pack(spaceId: SpaceId, ops: readonly TreeOperation[]): Uint8Array[] {
  return Array.from(packBatches(spaceId, ops), (batch) => batch.bytes)
}
