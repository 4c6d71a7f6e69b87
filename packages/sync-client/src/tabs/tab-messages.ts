import {
  batchBytesSchema,
  decodeBatch,
  digestSchema,
  errorBodySchema,
  jsonValueSchema,
  operationProblem,
  packBatches,
  peerIdSchema,
  presenceSchema,
  roleNameSchema,
  seqSchema,
  signals,
  spaceIdentitySchema,
  spaceIdSchema,
  transientChangeSchema,
  treeIdSchema,
  userIdSchema,
  type SpaceId,
  type TransientChange,
  type TreeOperation,
} from '@t69/protocol'
import { z } from 'zod'

import type { Tabs } from './tabs.ts'

/**
 * The messages that the parts of the client exchange. Every party (the tab that leads, each open space, each tab) tells
 * and hears them, within its own tab and across tabs alike. A new message needs a line in `messages`, a party that tells
 * it, and a case in the `hear` of each party that the line names: without the case it does not compile.
 *
 * Tabs may run different releases of an app, so a message from another tab is parsed on arrival.
 */

/** The parties that hear messages: the engine of the tab that leads, the spaces that a tab has open, and a tab itself. */
export type Hearer = 'leader' | 'space' | 'tab'

const reportSchema = z.object({
  phase: z.enum(['local', 'signed-out', 'offline', 'connecting', 'catching-up', 'live', 'blocked']),
  role: roleNameSchema.nullable(),
  /** Absent in the reports of an older release. */
  identity: spaceIdentitySchema.nullable().default(null),
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

const attestedRunSchema = z.object({
  treeId: treeIdSchema,
  peerId: peerIdSchema,
  from: z.int(),
  to: z.int(),
  userId: userIdSchema,
  at: z.int(),
})

/** Operations are sent as batches, which are validated as they are decoded. */
const opsSchema = z.array(batchBytesSchema).transform((batches, context): readonly TreeOperation[] => {
  try {
    return batches.flatMap((bytes) => [...decodeBatch(bytes).ops])
  } catch (error) {
    context.addIssue({ code: 'custom', message: String(error) })
    return z.NEVER
  }
})

const spaceId = spaceIdSchema
const changes = z.array(transientChangeSchema).transform((list): readonly TransientChange[] => list)

function message<Type extends string, By extends Hearer, Fields extends z.core.$ZodLooseShape>(
  type: Type,
  heardBy: readonly [By, ...By[]],
  fields: Fields,
) {
  return { type, heardBy, schema: z.object({ type: z.literal(type), ...fields }) }
}

const messages = [
  // Who leads, and what the tabs have open.
  /** From the tab that leads now: every tab tells again what the leader has to know. */
  message('leading', ['space', 'tab'], {}),
  /** To the leader, to see whether it is alive: it answers `leader-here` at once. */
  message('leader-asked', ['leader'], {}),
  message('leader-here', ['tab'], {}),
  /** All spaces that a tab has open. None when the tab closes. */
  message('opened', ['leader'], { tab: z.string(), spaceIds: z.array(spaceId) }),
  /** From the leader: the tab has closed, perhaps without telling anyone. */
  message('left', ['leader', 'space'], { tab: z.string() }),

  // Operations.
  /** Edits were stored. Without operations: the outbox may hold something new. */
  message('edited', ['leader', 'space', 'tab'], { spaceId, ops: opsSchema }),
  /** From the leader: who committed operations is stored. Told before the operations themselves. */
  message('attested', ['space'], { spaceId, runs: z.array(attestedRunSchema) }),
  /** From the leader: operations of others were stored. */
  message('received', ['space'], { spaceId, ops: opsSchema }),
  /** From the leader: the outbox, or the list of refused edits, has changed. */
  message('settled', ['space'], { spaceId }),
  /** Refused edits of these trees were removed from the storage. */
  message('discarded', ['space'], { spaceId, treeIds: z.array(treeIdSchema) }),
  /** From the leader: how far the space is synced. */
  message('reported', ['space'], { spaceId, report: reportSchema }),

  // Comparing trees with the server's log.
  /** To the leader: a tree as the tab shows it, to be compared with the log. */
  message('shown', ['leader'], { spaceId, tab: z.string(), tree: shownTreeSchema }),
  /** From the leader: the result, for the tab that showed the tree. */
  message('judged', ['space'], { spaceId, tab: z.string(), verdict: verdictSchema }),
  /** To the leader: the stored operations do not match the log. */
  message('distrusted', ['leader'], { spaceId }),
  /** From the leader: the whole space was read from the log again. */
  message('rebuilt', ['space'], { spaceId }),
  /** To the leader: how a tree differed, to be reported to the server. */
  message('diverged', ['leader'], { spaceId, divergence: divergenceSchema }),

  // Presence and transient values, which are shown and never stored.
  /** To the leader: what this device shows to the others. */
  message('presence-set', ['leader'], { spaceId, state: jsonValueSchema }),
  /** From the leader: everybody else who is in the space. */
  message('present', ['space'], { spaceId, present: z.array(presenceSchema) }),
  /** Transient changes made in a tab, for the other tabs and for the server. */
  message('transients-made', ['leader', 'space'], { spaceId, tab: z.string(), changes }),
  /** From the leader: transient changes of another connection. */
  message('transients-heard', ['space'], { spaceId, connectionId: z.string(), changes }),

  // Accounts and the list of spaces.
  /** The stored session has changed. */
  message('session-stored', ['tab'], {}),
  /** The list of spaces, or the record of one (its name, its owner), may have changed. */
  message('spaces-changed', ['leader', 'space', 'tab'], {}),
  message('space-deleted', ['leader', 'space', 'tab'], { spaceId }),
  /** To the leader: join a space again, even if the server refused it before. */
  message('rejoin', ['leader'], { spaceId }),
  /** To the leader: the user lets this device's copy go to another space of its id. */
  message('other-chosen', ['leader'], { spaceId, identity: spaceIdentitySchema }),
]

type Message = (typeof messages)[number]

export type TabMessage = z.output<Message['schema']>
type SchemaHeardBy<One, Party> = One extends { heardBy: readonly (infer By)[]; schema: infer Schema }
  ? Party extends By
    ? Schema
    : never
  : never
type HeardBy<Party extends Hearer> = z.output<Extract<SchemaHeardBy<Message, Party>, z.ZodType>>
export type LeaderMessage = HeardBy<'leader'>
export type SpaceMessage = HeardBy<'space'>
export type OwnTabMessage = HeardBy<'tab'>

/** Sends a message to every party that it concerns, in this tab and in the others. */
export type Tell = (message: TabMessage) => void

const tabMessageSchema = z.discriminatedUnion(
  'type',
  messages.map(({ schema }) => schema) as [Message['schema'], ...Message['schema'][]],
)

const hearers = new Map<string, readonly Hearer[]>(messages.map(({ type, heardBy }) => [type, heardBy]))

const concerns = (hearer: Hearer, { type }: TabMessage): boolean =>
  hearers.get(type)?.includes(hearer) ?? false
export const concernsLeader = (told: TabMessage): told is LeaderMessage => concerns('leader', told)
export const concernsSpaces = (told: TabMessage): told is SpaceMessage => concerns('space', told)
export const concernsTab = (told: TabMessage): told is OwnTabMessage => concerns('tab', told)

/** Exchanges messages with the other tabs. Messages that cannot be parsed are dropped. */
export interface TabLine {
  send(message: TabMessage): void
  onMessage(listener: (message: TabMessage) => void): void
}

export function createTabLine(tabs: Tabs): TabLine {
  return {
    send(told) {
      if (!tabs.alone) tabs.post('ops' in told ? { ...told, ops: pack(told.spaceId, told.ops) } : told)
    },
    onMessage(listener) {
      tabs.onMessage((raw) => {
        const parsed = tabMessageSchema.safeParse(raw)
        if (parsed.success) listener(parsed.data)
      })
    },
  }
}

/** Leaves out what no batch takes, as an old t69 may have stored it: other tabs show it once they read the storage. */
function pack(spaceId: SpaceId, ops: readonly TreeOperation[]): Uint8Array[] {
  const packed = (some: readonly TreeOperation[]) =>
    Array.from(packBatches(spaceId, some), (batch) => batch.bytes)
  try {
    return packed(ops)
  } catch {
    return packed(ops.filter((op) => op.spaceId === spaceId && operationProblem(op) === undefined))
  }
}
