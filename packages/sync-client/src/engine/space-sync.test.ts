import {
  decodeBatch,
  encodeBatch,
  userIdSchema,
  type Ack,
  type RequestName,
  type RequestReply,
  type TreeOperation,
} from '@t69/protocol'
import { expect, it, vi } from 'vitest'

import type { Link } from '../link/index.ts'
import { identityNumber, logIdNumber, op, range, spaceId } from '../machine/testing/machine-world.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { createManualTime, turns } from '../runtime/testing/manual-time.ts'
import { unsynced } from '../storage/client-storage.ts'
import type { ClientStorage } from '../storage/client-storage.ts'
import { memoryStorage } from '../storage/memory-storage.ts'
import { createSpaceSync } from './space-sync.ts'

const identity = identityNumber(1)

/** A server with an empty log, reached over connections that break after `carries` bytes each. */
function brokenLink(carries: number) {
  const { epoch } = range(0, [])
  const logId = logIdNumber(1)
  const log = new Set<number>()
  const connect = (onBroken: () => void): Link => {
    let left = carries
    const answer = (name: RequestName, payload: object): unknown => {
      const after = log.size
      const position = { logId, epoch, after, cursor: after, head: after }
      if (name === 'space:leave') return {}
      if (name === 'space:join') return { ...position, identity, cursor: after, role: 'editor' }
      if (!('batch' in payload) || !(payload.batch instanceof Uint8Array))
        throw new Error(`not asked: ${name}`)
      for (const { clock } of decodeBatch(payload.batch).ops) log.add(clock)
      const duplicates = 0
      return { ...position, cursor: log.size, head: log.size, duplicates, rejected: [] }
    }
    return {
      request<N extends RequestName>(
        name: N,
        payload: object,
        answered: (ack: Ack<RequestReply<N>>) => void,
      ): void {
        left -= 'batch' in payload && payload.batch instanceof Uint8Array ? payload.batch.length : 0
        if (left < 0) {
          onBroken()
          return
        }
        const ack = { ok: true, ...(answer(name, payload) as RequestReply<N>) } as Ack<RequestReply<N>>
        queueMicrotask(() => answered(ack))
      },
      signal() {},
    }
  }
  return { log, connect }
}

function syncOf(
  storage: ClientStorage,
  runtime: Runtime,
  onShow: (ops: readonly TreeOperation[]) => void = () => {},
) {
  const userId = userIdSchema.parse('f'.repeat(32))
  const silent = {
    register: async () => identity,
    renewSession() {},
    onChange() {},
    onSettled() {},
    onSuperseded() {},
  }
  return createSpaceSync(
    spaceId,
    { saved: { ...unsynced, identity }, registered: true, userId },
    { storage, runtime, onShow, ...silent },
  )
}

it('[CL11] a large edit is sent over several connections when none of them carries all of it', async () => {
  const storage = memoryStorage()
  const time = createManualTime()
  await storage.putSyncState(spaceId, unsynced)
  const edits = Array.from({ length: 100 }, (_, n) =>
    Object.assign(op(n + 1), { value: `${n} `.repeat(700) }),
  )
  await storage.appendLocal(spaceId, edits)
  const sync = syncOf(storage, time)
  const { log, connect } = brokenLink(60_000)
  for (
    let connections = 0;
    connections < 20 && (await storage.countPending(spaceId)).pending > 0;
    connections++
  ) {
    sync.connected(connect(() => sync.disconnected()))
    await time.pass(60_000)
  }
  expect(log.size).toBe(edits.length)
  expect(await storage.countPending(spaceId)).toMatchObject({ pending: 0 })
  await sync.stop()
})

it('the edits of one turn are encoded when they are stored, and sent as they are', async () => {
  const storage = memoryStorage()
  await storage.putSyncState(spaceId, unsynced)
  const edits = [1, 2, 3].map((n) => Object.assign(op(n), { value: { text: `${n}` } }))
  const stringify = vi.spyOn(JSON, 'stringify')
  await storage.appendLocal(spaceId, edits)
  const sync = syncOf(storage, createManualTime())
  const { log, connect } = brokenLink(Infinity)
  sync.connected(connect(() => {}))
  await turns()
  const values = stringify.mock.calls.filter(([value]) => edits.some((edit) => edit.value === value))
  stringify.mockRestore()
  expect(log.size).toBe(edits.length)
  expect(values).toHaveLength(edits.length)
  await sync.stop()
})

it('a sync that is stopped during a write still shows the operations of that write', async () => {
  const storage = memoryStorage()
  await storage.putSyncState(spaceId, unsynced)
  const { promise: disk, resolve: finishWrite } = Promise.withResolvers<void>()
  const append = storage.appendRemote.bind(storage)
  storage.appendRemote = async (...page) => {
    await disk
    await append(...page)
  }
  const shown: number[] = []
  const sync = syncOf(storage, createManualTime(), (ops) => shown.push(...ops.map(({ clock }) => clock)))
  const { connect } = brokenLink(0)
  sync.connected(connect(() => {}))
  await turns()
  const { logId, epoch, after, cursor, ops } = range(0, [op(1), op(2)])
  sync.appended({ spaceId, logId, epoch, after, cursor, batch: encodeBatch({ spaceId, ops }), commits: [] })
  const stopping = sync.stop()
  finishWrite()
  await stopping
  expect(await storage.getSyncState(spaceId)).toMatchObject({ cursor: 2 })
  expect(shown).toEqual([1, 2])
})

it('a sync that is stopped while it rests between merges writes nothing into a space that was removed meanwhile', async () => {
  const storage = memoryStorage()
  await storage.putSyncState(spaceId, unsynced)
  const time = createManualTime()
  let spent = 0
  const shown: number[] = []
  const sync = syncOf(storage, { ...time, now: () => time.now() + spent }, (ops) => {
    shown.push(...ops.map(({ clock }) => clock))
    spent += 100
  })
  const { connect } = brokenLink(0)
  sync.connected(connect(() => {}))
  await turns()
  for (const { logId, epoch, after, cursor, ops } of [range(0, [op(1)]), range(1, [op(2)])]) {
    const batch = encodeBatch({ spaceId, ops })
    sync.appended({ spaceId, logId, epoch, after, cursor, batch, commits: [] })
    await turns()
  }
  expect(shown).toEqual([1])
  await storage.deleteSpace(spaceId)
  await sync.stop()
  expect(await storage.listTrees(spaceId)).toEqual([])
  expect(await storage.getSyncState(spaceId)).toBeUndefined()
})
