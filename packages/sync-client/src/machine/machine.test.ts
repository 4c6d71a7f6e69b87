import { limits, type ErrorBody } from '@t69/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { reportOf } from '../engine/sync-report.ts'
import { logIdNumber, MachineWorld, op, range, userOf } from './testing/machine-world.ts'

const clocks = (ops: readonly { readonly clock: number }[]): number[] => ops.map(({ clock }) => clock)
const failing = (code: ErrorBody['code']): ErrorBody => ({ code, message: 'refused by the test' })

/** A machine that has joined and read the log to its end, with nothing left to do. */
function settled(): MachineWorld {
  const world = new MachineWorld()
  world.settle()
  return world
}

/** A machine whose one edit is committed, with the ack on its way. */
function withAckOnTheWire(): MachineWorld {
  const world = settled()
  world.edit()
  world.finishRead()
  world.serve()
  return world
}

describe('Joining', () => {
  it('registers a space that was created here before it joins', () => {
    const world = new MachineWorld(false)
    world.connect()
    expect(world.request).toEqual({ kind: 'register', seal: null })
    world.serve()
    world.deliver()
    expect(world.request?.kind).toBe('join')
  })

  it('[CL5] stores a new log id before it pulls, and queues what the log lacks at its end', () => {
    const world = new MachineWorld()
    world.joinsWithPage = false
    for (let count = 0; count < 5; count++) world.editElsewhere()
    world.connect()
    world.serve()
    world.deliver()
    expect(world.request).toBeNull()
    expect(world.writes).toMatchObject([{ kind: 'keep-seal' }])
    world.finishWrite()
    expect(world.request).toBeNull()
    expect(world.writes).toMatchObject([{ kind: 'adopt-log', state: { cursor: 0, reconciling: true } }])
    world.finishWrite()
    expect(world.request).toMatchObject({ kind: 'pull', after: 0 })
    while (world.saved.cursor < 5) {
      world.serve()
      world.deliver()
      world.finishWrite()
    }
    expect(world.request).toBeNull()
    expect(world.writes).toMatchObject([{ kind: 'queue-missing', logId: world.logId }])
  })

  it('[CL5] [JO8] stores the page of the reply after the new log id, and pulls the one that follows', () => {
    const world = new MachineWorld()
    for (let count = 0; count < 5; count++) world.editElsewhere()
    world.connect()
    world.serve()
    world.deliver()
    world.finishWrite()
    expect(world.writes).toMatchObject([{ kind: 'adopt-log', state: { cursor: 0 } }])
    world.finishWrite()
    expect(world.writes).toMatchObject([{ kind: 'append', state: { cursor: 2 } }])
    expect(world.request).toMatchObject({ kind: 'pull', after: 2 })
    world.settle()
    expect(world.held.size).toBe(5)
  })

  it('[JO8] is up to date after one round trip', () => {
    const world = settled()
    world.disconnect()
    for (let count = 0; count < 2; count++) world.editElsewhere()
    let requests = 0
    world.connect()
    for (; world.request !== null; requests++) {
      world.serve()
      world.deliver()
      world.finishWrite()
    }
    expect(requests).toBe(1)
    expect(world.saved.cursor).toBe(2)
    expect(world.machine.caughtUp).toBe(true)
  })

  it('[CL5] pushes again every operation that a restored server has lost, acked long ago or not', () => {
    const world = settled()
    for (let count = 0; count < 4; count++) world.edit()
    world.editElsewhere()
    world.settle()
    expect(world.log).toHaveLength(5)
    world.loseHistory(2)
    world.settle()
    expect(new Set(clocks(world.log))).toEqual(new Set([1, 2, 3, 4, 5]))
    expect(world.outbox).toEqual([])
  })

  it('[CL5] a viewer holds what a restored server has lost, and has no edit that waits', () => {
    const world = settled()
    world.editElsewhere()
    world.edit()
    world.edit()
    world.settle()
    world.role = 'viewer'
    world.loseHistory(1)
    world.settle()
    expect(clocks(world.log)).toEqual([1])
    expect(world.outbox).toEqual([])
    expect(world.machine).toMatchObject({ caughtUp: true, holdsBack: true, saved: { reconciling: true } })

    // Another device has brought one of the two back. As an editor, this one brings the other.
    world.editElsewhere(world.held.get(2)?.op)
    world.settle()
    expect(world.machine.holdsBack).toBe(true)
    world.disconnect()
    world.role = 'editor'
    world.settle()
    expect(clocks(world.log)).toEqual([1, 2, 3])
    expect(world.machine).toMatchObject({ caughtUp: true, holdsBack: false, saved: { reconciling: false } })
  })

  it('[CL5] the reconciliation of a viewer who holds nothing that the log lacks is over at its end', () => {
    const world = settled()
    world.editElsewhere()
    world.settle()
    world.role = 'viewer'
    world.loseHistory(0)
    world.log.push(op(1, 'other'))
    world.settle()
    expect(world.machine).toMatchObject({ caughtUp: true, holdsBack: false, saved: { reconciling: false } })
  })

  it('[CL5] forgets an ack whose position the server has lost, and pushes the edit again', () => {
    const world = settled()
    world.edit()
    world.log.push(op(100, 'other'))
    world.finishRead()
    world.serve()
    world.deliver()
    expect(world.machine.acked).not.toBeNull()
    world.loseHistory(0)
    world.connect()
    world.serve()
    world.deliver()
    // The log id is the same: the log vouches for the cursor, but not for the ack beyond it.
    expect(world.machine.acked).toBeNull()
    for (let count = 0; count < 3; count++) world.editElsewhere()
    world.settle()
    expect(clocks(world.log)).toContain(1)
  })

  it('[CL6] pushes nothing before the log has been read to its head', () => {
    const world = new MachineWorld()
    world.edit()
    for (let count = 0; count < 6; count++) world.editElsewhere()
    world.connect()
    for (let turns = 0; turns < 100 && world.request?.kind !== 'push'; turns++) {
      world.serve()
      world.deliver()
      world.finishWrite()
      world.finishRead()
    }
    expect(world.request?.kind).toBe('push')
    expect(world.saved).toMatchObject({ cursor: 6, reconciling: false })
  })

  it('continues from its cursor in a log that it knows', () => {
    const world = settled()
    world.edit()
    world.settle()
    world.disconnect()
    world.connect()
    expect(world.request).toMatchObject({ kind: 'join', from: { cursor: 1, logId: world.logId } })
    world.serve()
    world.deliver()
    expect(world.writes).toEqual([])
    expect(world.machine.caughtUp).toBe(true)
  })

  it('keeps an append that arrives before the reply to the join', () => {
    const world = settled()
    world.disconnect()
    world.connect()
    world.serve()
    world.editElsewhere()
    world.wire.reverse()
    world.deliver()
    world.deliver()
    world.finishWrite()
    expect(world.saved.cursor).toBe(1)
  })
})

describe('Appends and pages', () => {
  it('[CL3] are shown after they are stored with the cursor that covers them', () => {
    const world = settled()
    world.editElsewhere()
    world.deliver()
    expect(world.shown.size).toBe(0)
    expect(world.writes).toMatchObject([{ kind: 'append', state: { cursor: 1, logId: world.logId } }])
    world.finishWrite()
    expect(world.shown).toEqual(new Set([1]))
  })

  it('[CL4] leave a gap to a pull, and are ignored when they are known', () => {
    const world = settled()
    world.log.push(op(1), op(2), op(3))
    world.send({ type: 'appended', range: range(2, [op(3)]) })
    expect(world.writes).toEqual([])
    expect(world.request).toMatchObject({ kind: 'pull', after: 0 })
    world.settle()
    expect(world.saved.cursor).toBe(3)
    world.send({ type: 'appended', range: range(0, [op(1), op(2)]) })
    expect(world.writes).toEqual([])
    expect(world.request).toBeNull()
  })

  it('[PL4] are pulled one at a time, the next while the previous one is being stored', () => {
    const world = new MachineWorld()
    world.joinsWithPage = false
    for (let count = 0; count < 9; count++) world.editElsewhere()
    world.connect()
    world.serve()
    world.deliver()
    world.finishWrite()
    world.finishWrite()
    world.serve()
    world.deliver()
    expect(world.writes).toMatchObject([{ kind: 'append', state: { cursor: 2 } }])
    expect(world.request).toMatchObject({ kind: 'pull', after: 2 })
    world.serve()
    world.deliver()
    // The second page waits for the storage, and no third one is pulled.
    expect(world.request).toBeNull()
    expect(world.machine.inbox).toHaveLength(1)
    world.finishWrite()
    expect(world.writes).toMatchObject([{ kind: 'append', state: { cursor: 4 } }])
    expect(world.request).toMatchObject({ kind: 'pull', after: 4 })
    // The write fails, so the page that follows on it cannot be stored either.
    world.finishWrite(failing('storage_failed'))
    world.settle()
    expect(world.saved.cursor).toBe(9)
    expect(world.held.size).toBe(9)
  })

  it('are dropped when they arrive faster than they are stored, and pulled later', () => {
    const world = settled()
    world.editElsewhere()
    world.deliver()
    const many = Array.from({ length: 20_000 }, (_, index) => op(index + 2, 'other'))
    for (let count = 0; count < 5; count++) {
      const after = 1 + count * many.length
      world.send({ type: 'appended', range: range(after, many) })
    }
    expect(world.machine.inbox).toHaveLength(2)
    expect(world.machine.head).toBe(100_001)
  })

  it('lead to a pull when they carry no operations', () => {
    const world = settled()
    world.log.push(op(1))
    world.send({ type: 'appended', range: { ...range(1, []), cursor: 1 } })
    expect(world.request).toMatchObject({ kind: 'pull', after: 0 })
  })

  it('lead to a new join when they are of another log', () => {
    const world = settled()
    world.send({ type: 'appended', range: range(0, [op(1)], logIdNumber(7)) })
    expect(world.request?.kind).toBe('join')
  })

  it('are stored later when the disk is full, without being pulled again each time', () => {
    const world = settled()
    world.disconnect()
    for (let count = 0; count < 8; count++) world.editElsewhere()
    world.connect()
    world.serve()
    world.deliver()
    let pulls = 0
    for (let attempt = 0; attempt < 20; attempt++) {
      if (world.request !== null) pulls++
      world.serve()
      while (world.wire.length > 0) world.deliver()
      world.finishWrite(failing('storage_failed'))
      const error = { code: 'storage_failed' }
      expect(reportOf(world.machine, { phase: 'open', error: null })).toMatchObject({
        phase: 'connecting',
        error,
      })
      world.send({ type: 'retry' })
    }
    expect(pulls).toBeLessThan(3)
    expect(world.saved.cursor).toBe(0)
    expect(world.shown.size).toBe(0)
    world.settle()
    expect(world.saved.cursor).toBe(8)
    expect(world.shown.size).toBe(8)
  })
})

describe('Pushing', () => {
  it('[CL1] sends the outbox oldest first', () => {
    const world = settled()
    for (let count = 0; count < 8; count++) world.edit()
    world.settle()
    expect(clocks(world.log)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  })

  it('sends an edit that was made while the outbox was being read', () => {
    const world = settled()
    world.edit()
    world.settle()
    world.send({ type: 'edited' })
    world.edit()
    world.finishRead()
    world.settle()
    expect(clocks(world.log)).toEqual([1, 2])
  })

  it('[CL2] keeps an edit in the outbox until the cursor has passed a gap and reached the ack', () => {
    const world = settled()
    world.edit()
    world.log.push(op(100, 'other'))
    world.finishRead()
    world.serve()
    world.deliver()
    expect(world.machine.acked).toMatchObject({ after: 1, cursor: 2 })
    expect(world.outbox).toHaveLength(1)
    expect(world.request).toMatchObject({ kind: 'pull', after: 0 })
    world.serve()
    world.deliver()
    expect(world.outbox).toHaveLength(1)
    world.finishWrite()
    expect(world.writes).toMatchObject([{ kind: 'settle', entries: [1], state: { cursor: 2 } }])
    world.finishWrite()
    expect(world.outbox).toEqual([])
  })

  it('[CL2] moves the cursor and settles the edit in one transaction when there is no gap', () => {
    const world = withAckOnTheWire()
    expect(world.outbox).toHaveLength(1)
    world.deliver()
    expect(world.outbox).toHaveLength(1)
    expect(world.writes).toMatchObject([{ kind: 'settle', entries: [1], state: { cursor: 1 } }])
  })

  it('[CL9] repeats a push whose ack was lost', () => {
    const world = withAckOnTheWire()
    world.disconnect()
    expect(world.outbox).toHaveLength(1)
    world.settle()
    expect(clocks(world.log)).toEqual([1])
    expect(world.outbox).toEqual([])
  })

  it('[CL7] sets aside the operations that the server rejects, and pushes the rest', () => {
    const world = settled()
    world.refuses = ({ clock }) => clock === 2
    for (let count = 0; count < 3; count++) world.edit()
    world.settle()
    expect(clocks(world.log)).toEqual([1, 3])
    expect(world.rejected).toMatchObject([{ op: { clock: 2 }, code: 'op_conflict' }])
    expect(world.outbox).toEqual([])
  })

  it('[CL8] sets aside the operation that made a batch invalid, and pushes the others', () => {
    const world = settled()
    world.edit()
    world.finishRead()
    // Three more edits wait while the first is pushed.
    for (let count = 0; count < 3; count++) world.edit()
    world.serve()
    world.deliver()
    world.finishWrite()
    world.finishRead()
    world.serve({ ...failing('invalid_batch'), at: 1 })
    world.deliver()
    expect(world.request).toMatchObject({ kind: 'push', ops: [{ clock: 2 }, { clock: 4 }] })
    world.settle()
    expect(world.rejected).toMatchObject([{ op: { clock: 3 }, code: 'invalid_batch' }])
    expect(clocks(world.log)).toEqual([1, 2, 4])
    expect(world.outbox).toEqual([])
  })

  it.each([
    ['invalid_batch', [2, 3]],
    ['too_large', [1, 2]],
  ] as const)('does not send the batch of an entry for a part of it, after %s', (code, left) => {
    const world = settled()
    world.editTogether(3)
    world.finishRead()
    expect(world.request).toMatchObject({ kind: 'push', batch: expect.any(Uint8Array) as unknown })
    world.serve({ ...failing(code), at: 0 })
    world.deliver()
    expect(world.request).toMatchObject({ kind: 'push', ops: left.map((clock) => ({ clock })) })
    const batches = new Set<unknown>()
    world.settle(() => {
      if (world.request?.kind === 'push') batches.add(world.request.batch)
    })
    expect([...batches]).toEqual([undefined])
    expect(clocks(world.log)).toEqual(code === 'too_large' ? [1, 2, 3] : [2, 3])
    expect(world.outbox).toEqual([])
  })

  it('halves a batch that is too large until the operation that is too large is found', () => {
    const world = settled()
    world.edit()
    world.finishRead()
    world.serve(failing('too_large'))
    world.deliver()
    world.settle()
    expect(world.rejected).toMatchObject([{ op: { clock: 1 }, code: 'too_large' }])
    expect(world.outbox).toEqual([])
    expect(world.machine.budgetBytes).toBeLessThanOrEqual(limits.batchBudgetBytes)
  })

  it('pushes nothing for a viewer, who still receives, until the role changes', () => {
    const world = settled()
    world.edit()
    world.finishRead()
    world.serve(failing('forbidden'))
    world.deliver()
    expect(world.request).toBeNull()
    expect(world.machine).toMatchObject({ link: 'joined', pushPause: { until: 'join' } })
    world.editElsewhere()
    world.deliver()
    world.finishWrite()
    expect(world.shown.size).toBe(1)
    world.send({ type: 'closed', reason: 'changed' })
    world.settle()
    expect(world.outbox).toEqual([])
  })

  it('[RO2] still receives, pushes nothing and keeps the edits in a role that it does not know', () => {
    const world = settled()
    world.role = 'newer-role'
    world.send({ type: 'closed', reason: 'changed' })
    world.edit()
    world.editElsewhere()
    world.settle()
    expect(world.machine).toMatchObject({ link: 'joined', role: 'newer-role', caughtUp: true })
    expect(world.shown.size).toBe(1)
    expect(world.log).toHaveLength(1)
    expect(world.outbox).toHaveLength(1)

    world.role = 'editor'
    world.send({ type: 'closed', reason: 'changed' })
    world.settle()
    expect(world.outbox).toEqual([])
  })

  it.each(['rate_limited', 'quota_exceeded', 'storage_failed', 'unavailable', 'internal'] as const)(
    'tries again later after %s, and loses nothing',
    (code) => {
      const world = settled()
      world.edit()
      world.finishRead()
      world.serve(failing(code))
      world.deliver()
      expect(world.request).toBeNull()
      expect(world.retries).toBe(1)
      world.send({ type: 'retry' })
      world.settle()
      expect(world.outbox).toEqual([])
    },
  )

  it('rejoins after not_joined, and renews the session after unauthenticated', () => {
    const world = settled()
    world.edit()
    world.finishRead()
    world.serve(failing('not_joined'))
    world.deliver()
    expect(world.request?.kind).toBe('join')
    const effects = world.send({ type: 'refused', error: failing('unauthenticated') })
    expect(effects).toEqual([{ do: 'renew-session' }])
    expect(world.outbox).toHaveLength(1)
  })

  it('[CL10] stops after a refusal that it must not repeat, and keeps the edits', () => {
    const world = settled()
    world.edit()
    world.finishRead()
    world.serve(failing('invalid_request'))
    world.deliver()
    expect(world.request).toBeNull()
    expect(world.machine.blocked?.code).toBe('invalid_request')
    expect(world.outbox).toHaveLength(1)
  })
})

describe('A space that the server closes', () => {
  it.each(['removed', 'deleted'] as const)('keeps its edits and sends no request once %s', (reason) => {
    const world = settled()
    world.edit()
    world.send({ type: 'closed', reason })
    world.finishRead()
    expect(world.machine.blocked).not.toBeNull()
    expect(world.request).toBeNull()
    expect(world.outbox).toHaveLength(1)
  })

  it('is joined again later if the server was unavailable', () => {
    const world = settled()
    world.send({ type: 'closed', reason: 'unavailable' })
    expect(world.request).toBeNull()
    world.send({ type: 'retry' })
    expect(world.request?.kind).toBe('join')
  })
})

describe('A connection that breaks under large messages', () => {
  /** Three edits in one entry of the outbox, made without a connection. */
  function withOneEntry(value: string): MachineWorld {
    const world = settled()
    world.disconnect()
    for (let edit = 0; edit < 3; edit++) world.edit()
    for (const item of world.outbox) Object.assign(item, { entry: 1, op: { ...item.op, value } })
    return world
  }

  it('[CL11] gets smaller pushes, and an entry leaves the outbox with its last part', () => {
    const world = withOneEntry('x'.repeat(40_000))
    let cuts = 0
    const settling = new Set<string>()
    world.settle(() => {
      const [write] = world.writes
      if (write?.kind === 'settle') settling.add(`${write.entries.length} at ${write.state.cursor}`)
      if (world.request?.kind !== 'push' || world.request.ops.length === 1) return
      cuts++
      world.disconnect()
      world.connect()
    })
    expect(cuts).toBe(2)
    expect(Array.from(settling)).toEqual(['0 at 1', '0 at 2', '1 at 3'])
    expect(clocks(world.log)).toEqual([1, 2, 3])
    expect(world.outbox).toEqual([])
  })

  it('[CL11] gets smaller pages, and larger ones again once many have come through', () => {
    const world = settled()
    world.disconnect()
    for (let edit = 0; edit < 100; edit++) world.editElsewhere()
    const pageSizes: number[] = []
    world.settle(() => {
      while (world.request?.kind === 'join' || world.request?.kind === 'pull') {
        pageSizes.push(world.request.maxBytes)
        if (pageSizes.length > 3) return
        world.disconnect()
        world.connect()
      }
    })
    expect(pageSizes.slice(0, 4)).toEqual([262_144, 262_144, 65_536, 16_384])
    expect(new Set(pageSizes.slice(3))).toEqual(new Set([16_384, 65_536, 262_144]))
    expect(pageSizes.slice(3)).toEqual(pageSizes.slice(3).toSorted((a, b) => a - b))
    expect(world.saved.cursor).toBe(100)
  })

  it('[CL8] does not have an entry set aside for one operation that the server cannot take', () => {
    const world = withOneEntry('small')
    world.settle(() => {
      while (world.request?.kind === 'push' && world.request.ops.some(({ clock }) => clock === 2)) {
        world.serve(failing('too_large'))
        world.deliver()
      }
    })
    expect(clocks(world.log)).toEqual([1, 3])
    expect(world.rejected.map(({ op }) => op.clock)).toEqual([2])
    expect(world.outbox).toEqual([])
  })
})

describe('A device whose storage does not match the log', () => {
  it('[DV4] reads the same log again from its start, and pushes what the log lacks', () => {
    const world = settled()
    for (let edit = 0; edit < 5; edit++) world.editElsewhere()
    world.edit()
    world.settle()
    const expected = clocks(world.log)
    const stray = op(999)
    world.held.delete(expected[2] ?? 0)
    world.held.set(stray.clock, { op: stray, receivedUnder: world.logId })
    world.distrust()
    expect(world.machine.caughtUp).toBe(false)
    world.settle()
    expect(world.saved).toMatchObject({ cursor: world.log.length, reconciling: false })
    expect(clocks(world.log)).toEqual([...expected, stray.clock])
    expect(new Set(world.held.keys())).toEqual(new Set(clocks(world.log)))
    expect(world.machine).toMatchObject({ caughtUp: true, distrusted: false })
  })

  it('[DV4] reads the log again even if the connection breaks or the storage fails before that begins', () => {
    const world = settled()
    for (let edit = 0; edit < 3; edit++) world.editElsewhere()
    world.settle()
    world.distrust()
    world.disconnect()
    world.connect()
    world.serve()
    world.deliver()
    world.finishWrite(failing('storage_failed'))
    world.held.clear()
    world.settle()
    expect(new Set(world.held.keys())).toEqual(new Set(clocks(world.log)))
  })
})

describe('Any schedule of events', () => {
  const actions = {
    edit: (world: MachineWorld) => void world.edit(),
    editElsewhere: (world: MachineWorld) => world.editElsewhere(),
    deliver: (world: MachineWorld) => world.deliver(),
    serve: (world: MachineWorld) => world.serve(),
    refuse: (world: MachineWorld) => world.serve(failing('rate_limited')),
    finishWrite: (world: MachineWorld) => world.finishWrite(),
    failWrite: (world: MachineWorld) => world.finishWrite(failing('storage_failed')),
    finishRead: (world: MachineWorld) => world.finishRead(),
    connect: (world: MachineWorld) => world.connect(),
    disconnect: (world: MachineWorld) => world.disconnect(),
    retry: (world: MachineWorld) => void world.send({ type: 'retry' }),
    rejoin: (world: MachineWorld) => {
      if (!world.joined) return
      world.joined = false
      world.wire.push({ type: 'closed', reason: 'changed' })
    },
    distrust: (world: MachineWorld) => world.distrust(),
    loseHistory: (world: MachineWorld) => world.loseHistory(Math.floor(world.log.length * 0.8)),
    changeMembers: (world: MachineWorld) => world.changeMembers(),
    loseMembers(world: MachineWorld) {
      world.disconnect()
      world.accessIds = world.accessIds.slice(0, 1)
    },
  }
  const usual = ['edit', 'editElsewhere', 'deliver', 'serve', 'finishWrite', 'finishRead', 'connect'] as const
  const rare = [
    'refuse',
    'failWrite',
    'disconnect',
    'retry',
    'rejoin',
    'distrust',
    'loseHistory',
    'changeMembers',
    'loseMembers',
  ] as const
  const schedule = fc.array(
    fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom(...usual) },
      { weight: 1, arbitrary: fc.constantFrom(...rare) },
    ),
    { minLength: 10, maxLength: 150 },
  )

  it('[CL2] [CO6] loses no edit nor its author, moves the cursor only forward, and commits everything in the end', () => {
    fc.assert(
      fc.property(schedule, fc.boolean(), (names, joinsWithPage) => {
        const world = new MachineWorld()
        world.joinsWithPage = joinsWithPage
        let before = world.saved
        for (const name of names) {
          actions[name](world)
          expect(world.writes.length).toBeLessThanOrEqual(1)
          expect(world.reads.length).toBeLessThanOrEqual(1)
          const isAnew =
            world.saved.logId !== before.logId || (world.saved.reconciling && world.saved.cursor === 0)
          const floor = isAnew ? 0 : before.cursor
          expect(world.saved.cursor).toBeGreaterThanOrEqual(floor)
          before = world.saved
          if (!world.holds(world.saved)) continue
          // Everything that the cursor covers is held. Everything held is committed or in the outbox, unless a
          // reconciliation is still to find it.
          for (const { clock } of world.log.slice(0, world.saved.cursor))
            expect(world.held.has(clock)).toBe(true)
          if (world.saved.reconciling) continue
          const committed = new Set([...clocks(world.log), ...world.outbox.map((item) => item.op.clock)])
          for (const clock of world.held.keys()) expect(committed.has(clock)).toBe(true)
        }
        world.settle()
        expect(world.outbox).toEqual([])
        expect(new Set(clocks(world.log))).toEqual(new Set(world.held.keys()))
        expect(new Set(clocks(world.log)).size).toBe(world.log.length)
        expect(world.saved).toMatchObject({
          logId: world.logId,
          cursor: world.log.length,
          reconciling: false,
        })
        expect(world.machine.caughtUp).toBe(true)
        // Also where this device has brought it back to a server that lost it.
        for (const one of world.log) expect(world.authors.get(one.clock)).toBe(userOf(one))
      }),
      { numRuns: 1_000 },
    )
  })
})
