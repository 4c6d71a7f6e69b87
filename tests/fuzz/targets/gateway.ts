import {
  ackSchema,
  encodeBatch,
  errorBodySchema,
  notifications,
  opKey,
  requests,
  signals,
  spaceIdSchema,
  type NotificationName,
  type RequestName,
  type SignalName,
  type SpaceId,
} from '@t69/protocol'
import { Replica, toVertexOperation } from '@t69/replica'
import { createGatewayHarness, type Seen } from '@t69/server/testing/gateway-harness'
import { newEpoch, otherSpaceId, setOp, treeId } from '@t69/server/testing/ops'

import { drawOps } from '../draw-ops.ts'
import { createDraw, drawRelative, drawValue, type Draw } from '../draw.ts'
import type { FuzzTarget } from '../fuzz-target.ts'
import { mutateBytes } from '../mutate-bytes.ts'

const requestNames = Object.keys(requests) as RequestName[]
const signalNames = Object.keys(signals) as SignalName[]
const logId = 'ab'.repeat(16)
const spacesPerServer = 100
/** Rate limits have their own tests. Here they would hide everything else. */
const unlimited = { requestsPerSecond: 1e6, requestBurst: 1e6, signalsPerSecond: 1e6, signalBurst: 1e6 }

type Harness = ReturnType<typeof createGatewayHarness>

/**
 * Whatever a signed-in editor sends, each request gets one ack: a typed error, or a reply that matches its schema. The log
 * changes only by what is acked, the server logs no errors, and others are served.
 */
export function gatewayTarget(): FuzzTarget {
  let harness = createGatewayHarness(unlimited)
  let spaces = 0
  return {
    seeds: (random) =>
      Array.from({ length: 300 }, (_, index) =>
        Uint8Array.from({ length: 8 + (index % 100) * 3 }, () => random.below(256)),
      ),
    mutate: mutateBytes,
    run: (input) => {
      // A server is expensive to create and a space is not, so each input gets a new space.
      if (spaces++ % spacesPerServer === 0) harness = createGatewayHarness(unlimited)
      const spaceId = spaceIdSchema.parse(spaces.toString(16).padStart(32, '0'))
      return runScript(createDraw(input), harness, spaceId)
    },
  }
}

async function runScript(draw: Draw, harness: Harness, spaceId: SpaceId): Promise<string> {
  const honest = harness.connect({ role: 'none' })
  const hostile = harness.connect({ role: 'none' })
  harness.setRole(honest.userId, 'owner', spaceId)
  harness.setRole(hostile.userId, draw.pick(['editor', 'editor', 'editor', 'viewer', undefined]), spaceId)
  await honest.join({}, spaceId)
  if (draw.below(8) > 0) await hostile.join({}, spaceId)
  const outcomes = new Set<string>()
  const pushed: Uint8Array[] = []
  const headNow = async () => (await harness.spaces.open(spaceId)).state.head
  for (let left = 20; left > 0 && draw.left > 0; left--) {
    const before = await headNow()
    if (draw.below(6) === 0) {
      const name = draw.pick(signalNames)
      hostile.connection.signal(name, drawSignal(draw, name, spaceId))
      if ((await headNow()) !== before) throw new Error(`${name} changed the log`)
      continue
    }
    const name = draw.pick(requestNames)
    const acksBefore = acksOf(hostile.seen)
    const answered = await hostile.request(name, drawRequest(draw, name, { spaceId, head: before, pushed }))
    await harness.turn()
    if (acksOf(hostile.seen) !== acksBefore + 1) throw new Error(`${name} was not answered once`)
    ackSchema(name).parse(answered.ack)
    const added = (await headNow()) - before
    outcomes.add(`${name} ${outcomeOf(answered.ack, name, added)}`)
    if (draw.below(16) === 0) hostile.connection.drained()
  }
  await checkServer(harness, spaceId, honest, hostile)
  honest.connection.closed()
  hostile.connection.closed()
  return [...outcomes].sort().slice(0, 3).join(', ')
}

const acksOf = (seen: readonly Seen[]): number => seen.filter((it) => 'ack' in it).length

function outcomeOf(ack: unknown, name: RequestName, added: number): string {
  const reply = ack as { ok: boolean; error?: unknown; after?: number; cursor?: number }
  if (!reply.ok) {
    const { code } = errorBodySchema.parse(reply.error)
    if (code === 'internal') throw new Error(`${name} hit a bug`)
    if (added !== 0) throw new Error(`${name} was refused and changed the log`)
    return code
  }
  const said = name === 'ops:push' ? (reply.cursor ?? 0) - (reply.after ?? 0) : 0
  if (added !== said) throw new Error(`${name} added ${added} and acked ${said}`)
  return 'ok'
}

type Client = ReturnType<Harness['connect']>

async function checkServer(
  harness: Harness,
  spaceId: SpaceId,
  honest: Client,
  hostile: Client,
): Promise<void> {
  if (harness.errors.length > 0)
    throw new Error(`the server logged ${String(Object.values(harness.errors[0] ?? {})[0])}`)
  if (hostile.disconnected !== undefined) throw new Error('the hostile connection was ended')
  for (const it of [...honest.seen, ...hostile.seen]) {
    if ('name' in it) notifications[it.name satisfies NotificationName].parse(it.payload)
  }
  // If an invented position has renewed the log, everybody has to join again.
  await honest.join({}, spaceId)
  const edit = await honest.push([setOp(1, 'last', { peer: 'honest', space: spaceId })], spaceId)
  if (edit.ack?.ok !== true) throw new Error('the honest client is refused')
  checkLog(harness, spaceId)
  if (Object.keys(Object.prototype).length > 0) throw new Error('the prototype of all objects was changed')
}

/** Checks that the log holds no operation twice, and none that a replica cannot merge. */
function checkLog({ opLogs }: Harness, spaceId: SpaceId): void {
  const all = opLogs.open(spaceId, newEpoch()).read(0, { maxOps: 20_000, maxBytes: 1e9 })
  if (new Set(all.map(opKey)).size !== all.length) throw new Error('the log holds an operation twice')
  const trees = Map.groupBy(all, (op) => op.treeId)
  for (const [treeId, ops] of trees) new Replica({ treeId, ops: ops.map(toVertexOperation) }).dispose()
}

function drawRequest(
  draw: Draw,
  name: RequestName,
  { spaceId, head, pushed }: { spaceId: SpaceId; head: number; pushed: Uint8Array[] },
): unknown {
  const space = draw.pick([spaceId, spaceId, spaceId, spaceId, otherSpaceId])
  const position = draw.pick([0, head, head + 1, 1])
  const digest = 'cd'.repeat(16)
  switch (name) {
    case 'space:join':
      return drawRelative(
        draw,
        draw.below(2) === 0
          ? { spaceId: space, page: {} }
          : { spaceId: space, logId, epoch: logId, cursor: position, page: { maxBytes: 4_096 } },
      )
    case 'space:leave':
      // Rare, because nothing after it matters.
      return draw.below(4) === 0 ? { spaceId: space } : drawValue(draw)
    case 'ops:push':
      return drawRelative(draw, { spaceId: space, batch: drawBatch(draw, spaceId, pushed) })
    case 'ops:pull':
      return drawRelative(draw, { spaceId: space, after: position })
    case 'tree:compare':
      return drawRelative(draw, { spaceId: space, treeId, logId, cursor: position, digest })
    case 'auth:renew':
      return drawRelative(draw, { token: draw.pick(['a/b/1000', `${'1'.repeat(32)}/s/9`, '//', 'x']) })
    default:
      return drawRelative(draw, { spaceId: space })
  }
}

function drawSignal(draw: Draw, name: SignalName, spaceId: SpaceId): unknown {
  const change = { treeId: 'tree', targetId: 'v', key: 'text', value: 'x', offset: draw.below(9) }
  switch (name) {
    case 'ops:transient':
      return drawRelative(draw, { spaceId, changes: [drawRelative(draw, change)] })
    case 'presence:set':
      return drawRelative(draw, { spaceId, state: drawValue(draw) })
    default:
      return drawRelative(draw, { spaceId, treeId, vertices: [drawValue(draw)], cursor: draw.below(9) })
  }
}

/** Draws a batch of valid operations, often corrupted or pushed before. */
function drawBatch(draw: Draw, spaceId: SpaceId, pushed: Uint8Array[]): unknown {
  if (pushed.length > 0 && draw.below(4) === 0) return draw.pick(pushed)
  const ops = drawOps(draw, spaceId, 1 + draw.below(12))
  const far = ops.map((op) => (draw.below(4) === 0 ? { ...op, clock: op.clock + 1_000_000 } : op))
  const bytes = encodeBatch({ spaceId, ops: far })
  pushed.push(bytes)
  switch (draw.below(4)) {
    case 0:
      bytes[draw.below(bytes.length)] = draw.below(256)
      return bytes
    case 1:
      return draw.bytes(draw.below(100)).slice().buffer
    default:
      return bytes
  }
}
