import {
  decodeBatch,
  type LogId,
  encodeBatch,
  limits,
  randomHexId,
  type RequestName,
  requests,
  type SpaceId,
  SyncError,
} from '@t69/protocol'
import { Replica, toVertexOperation } from '@t69/replica'
import { describe, expect, it } from 'vitest'

import { createGatewayHarness, settled } from '../testing/gateway-harness.ts'
import { newEpoch, moveOp, newUserId, opsFrom, otherSpaceId, setOp, spaceId, treeId } from '../testing/ops.ts'

const batchOf = (ops = opsFrom(1, 1)) => encodeBatch({ spaceId, ops })
const refused = (code: string) => ({ ok: false, error: { code } })

describe('the gateway', () => {
  it('[JO1] [AP1] lets a member in, and sends each commit to everybody but its pusher', async () => {
    const { connect } = createGatewayHarness()
    const [anna, ben, stranger] = [connect(), connect({ role: 'viewer' }), connect({ role: 'none' })]
    expect((await anna.join()).ack).toMatchObject({ ok: true, cursor: 0, head: 0, role: 'editor' })
    expect((await ben.join()).ack).toMatchObject({ ok: true, role: 'viewer' })
    expect((await ben.join()).ack).toMatchObject({ ok: true, role: 'viewer' })
    const pushed = await anna.push([setOp(1, 'a'), setOp(2, 'b'), setOp(1, 'a'), setOp(2, 'c')])
    expect(pushed.ack).toMatchObject({
      ok: true,
      after: 0,
      cursor: 2,
      duplicates: 1,
      rejected: [{ index: 3 }],
    })
    expect(ben.got('ops:appended')).toMatchObject([{ spaceId, after: 0, cursor: 2 }])
    const [{ batch }] = ben.got('ops:appended') as [{ batch: Uint8Array }]
    expect(decodeBatch(batch).ops).toEqual([setOp(1, 'a'), setOp(2, 'b')])
    expect(anna.got('ops:appended')).toEqual([])
    expect(stranger.seen).toEqual([])
  })

  it('lists who is connected, the newest first, page by page, and in which spaces', async () => {
    const { connect, gateway } = createGatewayHarness()
    const [anna, ben] = [connect(), connect()]
    await anna.join()
    const all = gateway.connections({ before: Infinity, limit: 50 })
    expect(all).toMatchObject([
      { nr: 2, userId: ben.userId, joined: [] },
      { nr: 1, userId: anna.userId, joined: [spaceId] },
    ])
    expect(gateway.connections({ before: Infinity, limit: 1 })).toEqual([all[0]])
    expect(gateway.connections({ before: 2, limit: 1 })).toEqual([all[1]])
    expect(gateway.connections({ before: 1, limit: 1 })).toEqual([])
  })

  it('[CO1] [CO4] names the user of the pushing socket, whatever the operations say', async () => {
    const { connect, runtime } = createGatewayHarness()
    const [eve, ben] = [connect(), connect()]
    await eve.join()
    await ben.join()
    const claim = Object.assign(setOp(1, ben.userId), { key: 'authorId' })
    const at = runtime.now()
    expect((await eve.push([claim])).ack).toMatchObject({ ok: true, at })
    expect(ben.got('ops:appended')).toMatchObject([{ commits: [{ after: 0, userId: eve.userId, at }] }])
    // The same operation, pushed by somebody else, is a duplicate and stays Eve's.
    expect((await ben.push([claim])).ack).toMatchObject({ duplicates: 1, after: 1, cursor: 1 })
    expect((await ben.request('ops:pull', { spaceId, after: 0 })).ack).toMatchObject({
      commits: [{ after: 0, userId: eve.userId, at }],
    })
  })

  it('[AP1] sends nothing when nothing was added', async () => {
    const { connect } = createGatewayHarness()
    const [anna, ben] = [connect(), connect()]
    await anna.join()
    await ben.join()
    await anna.push([setOp(1, 'a')])
    await ben.push([setOp(1, 'a')])
    expect(anna.got('ops:appended')).toEqual([])
    expect(ben.got('ops:appended')).toHaveLength(1)
  })

  it('[AP2] sends neither ack nor append before the commit', async () => {
    const { connect, turn } = createGatewayHarness()
    const [anna, ben] = [connect(), connect()]
    await anna.join()
    await ben.join()
    const pushed = await anna.request('ops:push', { spaceId, batch: batchOf() })
    expect(pushed.ack).toBeUndefined()
    expect(ben.got('ops:appended')).toEqual([])
    await turn()
    expect(pushed.ack).toMatchObject({ ok: true })
    expect(ben.got('ops:appended')).toHaveLength(1)
  })

  it('[AP3] keeps the order of the log among the acks and appends of one socket', async () => {
    const { connect, turn } = createGatewayHarness()
    const clients = [connect(), connect(), connect()]
    for (const client of clients) {
      await client.join()
      client.forget()
    }
    for (let round = 0; round < 3; round++) {
      for (const [index, client] of clients.entries()) {
        const ops = opsFrom(1 + round * 2, 2, { peer: `${index}` })
        await client.request('ops:push', { spaceId, batch: batchOf(ops) })
      }
      if (round !== 1) await turn()
    }
    for (const client of clients) {
      const ends = client.seen.map(
        (it) => ('name' in it ? it.payload : it.reply) as { after: number; cursor: number },
      )
      expect(ends.map(({ after }) => after)).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16])
      expect(ends.map(({ cursor }) => cursor)).toEqual([2, 4, 6, 8, 10, 12, 14, 16, 18])
    }
  })

  it('[JO6] loses no append between the head of a join and the first append', async () => {
    const { connect, turn } = createGatewayHarness()
    const [anna, ben] = [connect(), connect()]
    await anna.join()
    await anna.request('ops:push', { spaceId, batch: batchOf() })
    const joined = await ben.join()
    await turn()
    expect(joined.ack).toMatchObject({ head: 0 })
    expect(ben.got('ops:appended')).toMatchObject([{ after: 0, cursor: 1 }])
  })

  it('[JO7] sends a client nothing of a space that it left, and lets it leave twice', async () => {
    const { connect } = createGatewayHarness()
    const [anna, ben] = [connect(), connect()]
    await anna.join()
    await ben.join()
    expect((await ben.request('space:leave', { spaceId })).ack).toEqual({ ok: true })
    expect((await ben.request('space:leave', { spaceId })).ack).toEqual({ ok: true })
    ben.forget()
    await anna.push(opsFrom(1, 1))
    anna.connection.signal('presence:set', { spaceId, state: 'here' })
    expect(ben.seen).toEqual([])
  })

  it('[JO4] tells everybody else to join again when a log gets a new id', async () => {
    const { connect } = createGatewayHarness()
    const [anna, ben, cleo] = [connect(), connect(), connect()]
    const first = (await anna.join()).ack
    await ben.join()
    if (first?.ok !== true) throw new Error('not joined')
    const again = (await cleo.join({ logId: first.logId, epoch: first.epoch, cursor: 7 })).ack
    expect(again).toMatchObject({ ok: true, cursor: 0 })
    for (const client of [anna, ben])
      expect(client.got('space:closed')).toEqual([{ spaceId, reason: 'changed' }])
    expect(cleo.got('space:closed')).toEqual([])
    expect((await anna.request('ops:pull', { spaceId, after: 0 })).ack).toMatchObject(refused('not_joined'))
    expect((await cleo.push(opsFrom(1, 1))).ack).toMatchObject({
      ok: true,
      logId: again?.ok === true && again.logId,
    })
  })

  it('[JO8] brings the page after its cursor to who asks for it and lacks something', async () => {
    const { connect } = createGatewayHarness()
    const [anna, ben] = [connect(), connect()]
    await anna.join()
    const ops = opsFrom(1, 300)
    await anna.push(ops)
    const whole = (await ben.join({ page: {} })).ack
    if (whole?.ok !== true || whole.page === undefined) throw new Error('joined without a page')
    expect(whole).toMatchObject({ cursor: 0, head: 300, page: { after: 0, cursor: 300 } })
    expect(decodeBatch(whole.page.batch).ops).toEqual(ops)
    expect(whole.page.commits).toMatchObject([{ after: 0, userId: anna.userId }])

    const { logId, epoch } = whole
    const smaller = (await ben.join({ logId, epoch, cursor: 100, page: { maxBytes: 4_096 } })).ack
    expect(smaller).toMatchObject({ cursor: 100, page: { after: 100 } })
    expect(smaller?.ok === true && smaller.page?.batch.byteLength).toBeLessThanOrEqual(4_096)
    for (const position of [{ page: {}, logId, epoch, cursor: 300 }, {}])
      expect((await ben.join(position)).ack).not.toHaveProperty('page')

    ben.forget()
    await anna.push(opsFrom(301, 1))
    expect(ben.got('ops:appended')).toMatchObject([{ after: 300, cursor: 301 }])
  })

  it('[JO9] says what the space is to who asks for it, and to nobody else', async () => {
    const { connect, setRole } = createGatewayHarness()
    const [anna, stranger] = [connect(), connect()]
    expect((await anna.join({ describe: true })).ack).toMatchObject({
      ok: true,
      space: { name: 'Notes', createdAt: 1_000 },
    })
    for (const asked of [{}, { page: {} }, { describe: false }])
      expect((await anna.join(asked)).ack).not.toHaveProperty('space')
    setRole(stranger.userId, undefined)
    expect((await stranger.join({ describe: true })).ack).toEqual((await stranger.join()).ack)
  })

  it('[JO6] [JO8] hides no commit from who waits for a turn while the space is opened anew', async () => {
    const [joins, others] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const { connect, spaces, userLimits } = createGatewayHarness({}, {}, (storage) => ({
      ...storage,
      join: async (given) => {
        if (given.payer === ben.userId) await joins.promise
        return storage.join(given)
      },
    }))
    const [anna, ben] = [connect(), connect()]
    await anna.join()
    await anna.push(opsFrom(1, 3))
    const allowance = userLimits.of(ben.userId)
    const turns = [1, 2, 3].map(() => allowance.inTurn(() => others.promise))
    const joined = await ben.request('space:join', { spaceId, page: {} })
    turns.push(allowance.inTurn(() => others.promise))
    joins.resolve()
    await settled()
    // A page is refused from here on.
    allowance.spendOperations(10_000_000)
    await spaces.reopen(spaceId)
    await anna.push(opsFrom(4, 1))
    others.resolve()
    await Promise.all(turns)
    await settled()
    if (joined.ack?.ok !== true) throw new Error('not joined')
    const appends = ben.got('ops:appended') as { readonly cursor: number }[]
    expect([joined.ack.head, ...appends.map(({ cursor }) => cursor)]).toContain(4)
  })

  it('[JO8] joins without the page whoever owes operations, and refuses the pull of it', async () => {
    const { connect, userLimits } = createGatewayHarness()
    const [anna, ben] = [connect(), connect()]
    await anna.join()
    await anna.push(opsFrom(1, 3))
    // The space is open: joining it costs nothing more.
    userLimits.of(ben.userId).spendOperations(10_000_000)
    const joined = (await ben.join({ page: {} })).ack
    expect(joined).toMatchObject({ ok: true, cursor: 0, head: 3 })
    expect(joined).not.toHaveProperty('page')
    expect((await ben.request('ops:pull', { spaceId, after: 0 })).ack).toMatchObject(refused('rate_limited'))
    await anna.push(opsFrom(4, 1))
    expect(ben.got('ops:appended')).toMatchObject([{ after: 3, cursor: 4 }])
  })

  it('[JO8] charges for the page that a join brings, and not for one that it does not', async () => {
    const { connect, userLimits } = createGatewayHarness()
    const [anna, ben] = [connect(), connect()]
    await anna.join()
    await anna.push(opsFrom(1, 3))
    const spent: number[] = []
    const allowance = userLimits.of(ben.userId)
    const spend = allowance.spendOperations.bind(allowance)
    allowance.spendOperations = (count) => {
      spent.push(count)
      spend(count)
    }
    const total = (): number => spent.splice(0).reduce((sum, count) => sum + count, 0)
    const joined = (await ben.join({ page: {} })).ack
    if (joined?.ok !== true || joined.page === undefined) throw new Error('joined without a page')
    expect(total()).toBeCloseTo(3 + joined.page.batch.byteLength / 256)
    const { logId, epoch } = joined
    for (const position of [{}, { logId, epoch, cursor: 3, page: {} }]) {
      await ben.join(position)
      expect(total()).toBe(0)
    }
  })

  it('a device that was as far as the log, under an epoch that it lost, gets the first page with the new id', async () => {
    const { connect } = createGatewayHarness()
    const [anna, ben] = [connect(), connect()]
    const before = (await anna.join()).ack
    await anna.push(opsFrom(1, 3))
    const logId = before?.ok === true ? before.logId : undefined
    const joined = (await ben.join({ logId, epoch: newEpoch(), cursor: 3, page: {} })).ack
    expect(joined).toMatchObject({ ok: true, cursor: 0, head: 3, page: { after: 0, cursor: 3 } })
    expect(joined).not.toMatchObject({ logId })
  })

  describe('a join whose page takes its time', () => {
    async function joining() {
      const page = Promise.withResolvers<void>()
      const harness = createGatewayHarness({}, {}, (storage) => ({
        ...storage,
        join: async (given) => {
          const joined = await storage.join(given)
          if (given.page !== undefined) await page.promise
          return joined
        },
      }))
      const [anna, ben] = [harness.connect(), harness.connect()]
      await anna.join()
      await anna.push(opsFrom(1, 3))
      return { ...harness, anna, ben, page, joined: await ben.request('space:join', { spaceId, page: {} }) }
    }

    it('[JO6] [JO8] hides no commit between the page and the first append', async () => {
      const { anna, ben, joined, page } = await joining()
      await anna.push(opsFrom(4, 1))
      page.resolve()
      await settled()
      // What lies between is pulled.
      expect(joined.ack).toMatchObject({ head: 4, page: { after: 0, cursor: 3 } })
      await anna.push(opsFrom(5, 1))
      expect(ben.got('ops:appended')).toMatchObject([{ after: 4, cursor: 5 }])
    })

    it('[AU6] [JO8] gives nothing to who is removed meanwhile', async () => {
      const { ben, changeAccess, setRole, joined, page } = await joining()
      changeAccess(spaceId, () => setRole(ben.userId, undefined))
      page.resolve()
      await settled()
      expect(joined.ack).toMatchObject(refused('not_found'))
    })

    it('[AP5] leaves nothing of a connection that is ended instead of being answered', async () => {
      const { anna, ben, joined, page } = await joining()
      ben.backlog = Infinity
      page.resolve()
      await settled()
      expect([joined.ack, ben.disconnected]).toMatchObject([undefined, { code: 'rate_limited' }])
      ben.backlog = 0
      ben.forget()
      await anna.push(opsFrom(4, 1))
      anna.connection.signal('presence:set', { spaceId, state: 'here' })
      expect(ben.seen).toEqual([])
    })

    it('[JO4] [JO8] is to be repeated if the log gets a new id meanwhile', async () => {
      const { anna, connect, joined, page } = await joining()
      const before = (await anna.join()).ack
      if (before?.ok !== true) throw new Error('not joined')
      await connect().join({ logId: before.logId, epoch: before.epoch, cursor: 7 })
      page.resolve()
      await settled()
      expect(joined.ack).toMatchObject(refused('not_joined'))
    })
  })

  it('[PU8] refuses a batch that does not decode, or belongs to another space', async () => {
    const { connect, turn } = createGatewayHarness()
    const anna = connect()
    await anna.join()
    const push = async (batch: unknown) => {
      const answered = await anna.request('ops:push', { spaceId, batch })
      await turn()
      return answered.ack
    }
    expect(await push(new Uint8Array([1, 2, 3]))).toMatchObject(refused('invalid_batch'))
    expect(await push(new Uint8Array(limits.maxBatchBytes + 1))).toMatchObject(refused('too_large'))
    const foreign = encodeBatch({ spaceId: otherSpaceId, ops: opsFrom(1, 1, { space: otherSpaceId }) })
    expect(await push(foreign)).toMatchObject(refused('invalid_batch'))
    expect((await anna.join()).ack).toMatchObject({ head: 0 })
  })

  it('[PU10] [PL1] acks a push with the head at its commit, and a pull with the head as it is', async () => {
    const { connect } = createGatewayHarness()
    const [anna, ben] = [connect(), connect()]
    await anna.join()
    await ben.join()
    expect((await anna.push(opsFrom(1, 2))).ack).toMatchObject({ cursor: 2, head: 2 })
    expect((await ben.push(opsFrom(3, 2))).ack).toMatchObject({ after: 2, cursor: 4, head: 4 })
    const page = (await anna.request('ops:pull', { spaceId, after: 1 })).ack
    expect(page).toMatchObject({ ok: true, after: 1, cursor: 4, head: 4 })
  })

  it('[PL5] sends a page as small as requested', async () => {
    const { connect } = createGatewayHarness()
    const anna = connect()
    await anna.join()
    await anna.push(Array.from({ length: 20 }, (_, index) => setOp(index + 1, 'x'.repeat(1_000))))
    const small = (await anna.request('ops:pull', { spaceId, after: 3, maxBytes: 4_096 })).ack
    if (small?.ok !== true) throw new Error('refused')
    expect(small).toMatchObject({ after: 3, head: 20 })
    expect(small.cursor).toBeGreaterThan(3)
    expect(small.batch.length).toBeLessThanOrEqual(4_096)
    for (const maxBytes of [0, 4_095, limits.batchBudgetBytes + 1]) {
      const ack = (await anna.request('ops:pull', { spaceId, after: 0, maxBytes })).ack
      expect(ack).toMatchObject({ ok: false, error: { code: 'invalid_request', at: 'maxBytes' } })
    }
  })

  it('[PL3] refuses a position after the head', async () => {
    const { connect } = createGatewayHarness()
    const anna = connect()
    await anna.join()
    expect((await anna.request('ops:pull', { spaceId, after: 1 })).ack).toMatchObject(
      refused('invalid_request'),
    )
  })
})

describe('comparing a tree', () => {
  const joinedWith = async (ops = opsFrom(1, 2)) => {
    const harness = createGatewayHarness({ compareBurst: 3 })
    const anna = harness.connect()
    const joined = (await anna.join()).ack
    if (joined?.ok !== true) throw new Error('not joined')
    await anna.push(ops)
    const compare = (cursor: number, digest: string, logId = joined.logId) =>
      anna.compare({ spaceId, treeId, logId, cursor, digest })
    return { ...harness, anna, compare, logId: joined.logId }
  }

  it('[DV2] says whether a digest matches the log at that cursor', async () => {
    const ops = [moveOp(1, null, { target: treeId }), moveOp(2, treeId), setOp(3, 'later')]
    const { compare } = await joinedWith(ops)
    using early = new Replica({ treeId, ops: ops.slice(0, 2).map(toVertexOperation) })
    using late = new Replica({ treeId, ops: ops.map(toVertexOperation) })
    expect(await compare(2, early.digest())).toEqual({ ok: true, matches: true, digest: early.digest() })
    expect(await compare(3, late.digest())).toEqual({ ok: true, matches: true, digest: late.digest() })
    expect(await compare(3, early.digest())).toEqual({ ok: true, matches: false, digest: late.digest() })
  })

  it('[DV2] refuses a position that the log has not reached, and another log id', async () => {
    const { compare, anna } = await joinedWith()
    expect(await compare(3, '0'.repeat(32))).toMatchObject(refused('invalid_request'))
    expect(await compare(1, '0'.repeat(32), randomHexId() as LogId)).toMatchObject(refused('not_joined'))
    await anna.request('space:leave', { spaceId })
    expect(await compare(1, '0'.repeat(32))).toMatchObject(refused('not_joined'))
  })

  it('[DV3] [DV4] logs and counts a difference, with its place and the client’s report', async () => {
    const { compare, anna, errors, warnings, counted, logId } = await joinedWith()
    const digest = '0'.repeat(32)
    expect(await compare(2, digest)).toMatchObject({ matches: false })
    const where = { spaceId, treeId, logId, cursor: 2, userId: anna.userId, connectionId: anna.id }
    expect(errors).toEqual([
      { ...where, clientDigest: digest, digest: expect.stringMatching(/^[0-9a-f]{32}$/) },
    ])
    expect(counted).toEqual([false])
    const found = { digest, rebuilt: '1'.repeat(32), source: 'storage', vertices: ['vertex'], differing: 1 }
    const report = { spaceId, treeId, logId, cursor: 2, ...found }
    anna.connection.signal('divergence:report', report)
    anna.connection.signal('divergence:report', { ...report, vertices: ['no id'] })
    expect(warnings).toEqual([{ ...where, ...found }])
    await anna.request('space:leave', { spaceId })
    anna.connection.signal('divergence:report', report)
    expect(warnings).toHaveLength(1)
  })

  it('[LI11] bounds what it logs for one user, and counts every difference', async () => {
    const { compare, anna, errors, warnings, counted, logId, connect, runtime } = await joinedWith()
    for (let nth = 0; nth < 3; nth++) await compare(1, '0'.repeat(32))
    const found = { digest: '0'.repeat(32), rebuilt: '1'.repeat(32), source: 'replica', differing: 0 }
    const report = { spaceId, treeId, logId, cursor: 1, vertices: [], ...found }
    const again = connect({ userId: anna.userId })
    await again.join()
    for (const client of [anna, again]) {
      for (let nth = 0; nth < 150; nth++) client.connection.signal('divergence:report', report)
    }
    expect(errors).toHaveLength(3)
    expect(warnings).toHaveLength(97)
    runtime.advance(10_000)
    expect(await compare(1, '0'.repeat(32))).toMatchObject({ matches: false })
    expect(errors).toHaveLength(4)
    expect(counted).toHaveLength(4)
  })

  it('[LI4] limits how many trees it reads for one socket', async () => {
    const { compare, runtime } = await joinedWith()
    const ask = () => compare(1, '0'.repeat(32))
    for (let asked = 0; asked < 3; asked++) expect(await ask()).toMatchObject({ ok: true })
    expect(await ask()).toMatchObject({ ok: false, error: { code: 'rate_limited', retryAfterMs: 2_000 } })
    runtime.advance(2_000)
    expect(await ask()).toMatchObject({ ok: true })
  })
})

describe('who may do what', () => {
  const payloads: { [N in RequestName]?: unknown } = {
    'space:join': { spaceId },
    'ops:push': { spaceId, batch: batchOf() },
    'ops:pull': { spaceId, after: 0 },
  }

  // The role at the join, the role at the request, and the outcome.
  it.each([
    ['space:join', undefined, undefined, 'not_found'],
    ['space:join', undefined, 'viewer', 'ok'],
    ['space:join', undefined, 'editor', 'ok'],
    ['space:join', undefined, 'owner', 'ok'],
    ['ops:push', undefined, 'editor', 'not_joined'],
    ['ops:push', undefined, undefined, 'not_joined'],
    ['ops:push', 'viewer', 'viewer', 'forbidden'],
    ['ops:push', 'editor', 'editor', 'ok'],
    ['ops:push', 'owner', 'owner', 'ok'],
    ['ops:push', 'editor', 'viewer', 'forbidden'],
    ['ops:push', 'editor', undefined, 'not_found'],
    ['ops:push', 'viewer', 'editor', 'ok'],
    ['ops:pull', undefined, 'owner', 'not_joined'],
    ['ops:pull', 'viewer', 'viewer', 'ok'],
    ['ops:pull', 'editor', 'editor', 'ok'],
    ['ops:pull', 'owner', 'owner', 'ok'],
    ['ops:pull', 'editor', undefined, 'not_found'],
  ] as const)('[PU2] [AU6] %s, joined as %s, asked as %s: %s', async (name, joinedAs, askedAs, expected) => {
    const { connect, setRole, turn } = createGatewayHarness()
    const client = connect({ role: joinedAs ?? 'none' })
    if (joinedAs !== undefined) await client.join()
    // The gateway is not told of the change: each event still asks for the role.
    setRole(client.userId, askedAs)
    const answered = await client.request(name, payloads[name])
    await turn()
    expect(answered.ack).toMatchObject(expected === 'ok' ? { ok: true } : refused(expected))
  })

  describe('[RO1] a role that is not in the table', () => {
    const requestsOfSpace = {
      'space:join': { spaceId },
      'ops:push': { spaceId, batch: batchOf() },
      'ops:pull': { spaceId, after: 0 },
      'tree:compare': { spaceId, treeId, logId: randomHexId(), cursor: 0, digest: '0'.repeat(32) },
    } satisfies { readonly [N in RequestName]?: object }

    it('may not join, and so sends nothing to the space', async () => {
      const { connect } = createGatewayHarness()
      const [unknown, other] = [connect({ role: 'newer-role' }), connect()]
      await other.join()
      other.forget()
      for (const [name, payload] of Object.entries(requestsOfSpace)) {
        const ack = await new Promise((resolve) =>
          unknown.connection.request(name as RequestName, payload, resolve),
        )
        expect(ack, name).toMatchObject(refused(name === 'space:join' ? 'forbidden' : 'not_joined'))
      }
      expect(other.seen).toEqual([])
    })

    it.each(Object.entries(requestsOfSpace))(
      'is refused %s in a space that it is in',
      async (name, payload) => {
        const { connect, setRole, spaces } = createGatewayHarness()
        const client = connect({ role: 'owner' })
        await client.join()
        setRole(client.userId, 'newer-role')
        const ack = await new Promise((resolve) =>
          client.connection.request(name as RequestName, payload, resolve),
        )
        expect(ack).toMatchObject(refused('forbidden'))
        expect(client.seen.at(-1)).toEqual({ name: 'space:closed', payload: { spaceId, reason: 'changed' } })
        expect((await spaces.open(spaceId)).state.head).toBe(0)
      },
    )

    it.each([
      [
        'ops:transient',
        { spaceId, changes: [{ treeId, targetId: 'v', key: 'text', value: 'hel', offset: 0 }] },
      ],
      ['presence:set', { spaceId, state: 'here' }],
      [
        'divergence:report',
        {
          spaceId,
          treeId,
          logId: randomHexId(),
          cursor: 1,
          digest: '0'.repeat(32),
          rebuilt: '1'.repeat(32),
          source: 'replica',
          differing: 0,
          vertices: [],
        },
      ],
    ] as const)('sends %s to nobody and into no log', async (name, payload) => {
      const { connect, setRole, warnings, errors } = createGatewayHarness()
      const [editor, client, other] = [connect(), connect(), connect()]
      for (const each of [editor, client, other]) await each.join()
      setRole(client.userId, 'newer-role')
      other.forget()
      client.connection.signal(name, payload)
      expect([other.seen, warnings, errors]).toEqual([[], [], []])
      // The same signal arrives when an editor sends it.
      editor.connection.signal(name, payload)
      expect(other.seen.length + warnings.length).toBe(1)
    })

    it('leaves the space in the turn in which the member gets it', async () => {
      const { connect, changeAccess, setRole } = createGatewayHarness()
      const [client, other] = [connect(), connect()]
      for (const each of [client, other]) await each.join()
      changeAccess(spaceId, () => setRole(client.userId, 'newer-role'))
      client.forget()
      await other.push(opsFrom(1, 1))
      expect(client.seen).toEqual([])
      expect((await client.join()).ack).toMatchObject(refused('forbidden'))
    })
  })

  it('[JO2] answers alike for a space that does not exist and one of others, and makes no file', async () => {
    const { connect, spaces } = createGatewayHarness()
    const stranger = connect({ role: 'none' })
    await connect().join()
    expect((await stranger.join({}, otherSpaceId)).ack).toEqual((await stranger.join()).ack)
    expect((await stranger.join()).ack).toMatchObject(refused('not_found'))
    expect(spaces.size).toBe(1)
  })

  it.each([
    ['removed', undefined],
    ['changed', 'viewer'],
  ] as const)(
    '[AU6] a member who is %s leaves in the same turn and gets nothing afterwards',
    async (reason, role) => {
      const { connect, changeAccess, setRole } = createGatewayHarness()
      const userId = newUserId()
      const [laptop, phone, other] = [connect({ userId }), connect({ userId }), connect()]
      for (const client of [laptop, phone, other]) await client.join()
      laptop.connection.signal('presence:set', { spaceId, state: 'here' })
      for (const client of [laptop, phone, other]) client.forget()
      changeAccess(spaceId, () => setRole(userId, role))
      for (const client of [laptop, phone]) {
        expect(client.seen.at(-1)).toEqual({ name: 'space:closed', payload: { spaceId, reason } })
        client.forget()
      }
      expect(other.got('presence:changed')).toEqual([{ spaceId, present: [], gone: [laptop.id] }])
      await other.push(opsFrom(1, 1))
      other.connection.signal('presence:set', { spaceId, state: 1 })
      other.connection.signal('ops:transient', {
        spaceId,
        changes: [{ treeId, targetId: 'v', key: 'k', value: 1 }],
      })
      expect(laptop.seen).toEqual([])
      expect(phone.seen).toEqual([])
      expect((await laptop.request('ops:pull', { spaceId, after: 0 })).ack).toMatchObject(
        refused('not_joined'),
      )
      expect((await laptop.join()).ack).toMatchObject(
        role === undefined ? refused('not_found') : { ok: true, role },
      )
    },
  )

  it.each([undefined, 'viewer'] as const)(
    '[AU6] nothing is committed of a member whose push waits while the role becomes %s',
    async (role) => {
      const { connect, changeAccess, setRole, spaces, turn } = createGatewayHarness()
      const [anna, ben] = [connect(), connect()]
      for (const client of [anna, ben]) await client.join()
      const pushed = await anna.request('ops:push', { spaceId, batch: batchOf() })
      changeAccess(spaceId, () => setRole(anna.userId, role))
      await turn()
      expect(pushed.ack).toMatchObject(refused('not_joined'))
      expect(ben.got('ops:appended')).toEqual([])
      expect((await spaces.open(spaceId)).state.head).toBe(0)
    },
  )

  it('[AU6] [JO7] whoever is removed, leaves or is gone while a join waits is not in the space', async () => {
    const { connect, changeAccess, setRole } = createGatewayHarness()
    const [anna, removed, leaving, gone] = [connect(), connect(), connect(), connect()]
    const joins = [anna, removed, leaving, gone].map((client) => client.send('space:join', { spaceId }))
    changeAccess(spaceId, () => setRole(removed.userId, undefined))
    leaving.send('space:leave', { spaceId })
    gone.connection.closed()
    await settled()
    const outcomes = joins.map(({ ack }) => (ack?.ok === false ? ack.error.code : ack?.ok))
    expect(outcomes).toEqual([true, 'not_found', 'not_joined', 'unavailable'])
    for (const client of [removed, leaving, gone]) client.forget()
    await anna.push(opsFrom(1, 1))
    for (const client of [removed, leaving, gone]) expect(client.seen).toEqual([])
  })

  it('[AU6] a member whose role did not change stays, and so do the others', async () => {
    const { connect, gateway } = createGatewayHarness()
    const [anna, ben] = [connect(), connect()]
    await anna.join()
    await ben.join()
    gateway.accessChanged(spaceId)
    gateway.accessChanged(otherSpaceId)
    for (const client of [anna, ben]) expect(client.got('space:closed')).toEqual([])
    expect((await anna.push(opsFrom(1, 1))).ack).toMatchObject({ ok: true })
  })

  it('[SI2] a device that knows another space of this id is refused, by the name of the one that is here', async () => {
    const { connect, space } = createGatewayHarness()
    const [anna, stranger] = [connect(), connect({ role: 'none' })]
    const identity = 'f'.repeat(32)
    const { ack } = await anna.join({ identity, accessId: 'e'.repeat(32) })
    expect(ack).toMatchObject({
      ok: false,
      error: { code: 'other_space', message: expect.stringContaining('“Notes”') as string },
    })
    expect((await anna.push(opsFrom(1, 1))).ack).toMatchObject(refused('not_joined'))
    expect((await stranger.join({ identity })).ack).toEqual((await stranger.join()).ack)
    expect((await anna.join({ identity: space.identity })).ack).toMatchObject({
      ok: true,
      identity: space.identity,
    })
  })

  it('[SI2] the log of another space is not renewed by a position in the one that the device knows', async () => {
    const { connect, spaces } = createGatewayHarness()
    const anna = connect()
    await anna.join()
    await anna.push(opsFrom(1, 1))
    const { logId } = (await spaces.open(spaceId)).state
    await anna.join({ identity: 'f'.repeat(32), logId, epoch: newEpoch(), cursor: 1 })
    expect((await spaces.open(spaceId)).state.logId).toBe(logId)
  })

  it('[SI5] a join gets the seal of the members, unless it names them as they are', async () => {
    const { connect, space, changeAccess } = createGatewayHarness()
    const anna = connect()
    const { accessId, identity } = space
    const seal = { accessId, seal: `the members at ${accessId}` }
    expect((await anna.join()).ack).toMatchObject({ ok: true, identity, seal })
    expect((await anna.join({ accessId })).ack).not.toHaveProperty('seal')
    changeAccess(spaceId, () => {})
    expect((await anna.join({ accessId })).ack).toMatchObject({ seal: { accessId: space.accessId } })
  })

  it('[SI5] after each change the joined sockets get the seal, and whoever lost access does not', async () => {
    const { connect, space, changeAccess, setRole } = createGatewayHarness()
    const [anna, ben, away] = [connect(), connect(), connect()]
    for (const client of [anna, ben]) await client.join()
    changeAccess(spaceId, () => setRole(ben.userId, undefined))
    const { accessId } = space
    expect(anna.got('space:sealed')).toEqual([{ spaceId, accessId, seal: `the members at ${accessId}` }])
    for (const client of [ben, away]) expect(client.got('space:sealed')).toEqual([])
  })

  it('[SI5] a slow socket gets the newest seal once it has read its backlog', async () => {
    const { connect, space, changeAccess } = createGatewayHarness()
    const anna = connect()
    await anna.join()
    anna.backlog = Infinity
    for (let change = 0; change < 3; change++) changeAccess(spaceId, () => {})
    expect(anna.got('space:sealed')).toEqual([])
    anna.backlog = 0
    anna.connection.drained()
    anna.connection.drained()
    expect(anna.got('space:sealed')).toMatchObject([{ accessId: space.accessId }])
  })

  it('[SI5] a page is preceded by the list under which it was committed', async () => {
    const { connect, space, changeAccess } = createGatewayHarness()
    space.sealLength = limits.maxSealLength
    const [anna, ben] = [connect(), connect()]
    await anna.join()
    for (let change = 0; change < 2; change++) changeAccess(spaceId, () => {})
    await ben.join()
    await ben.push(opsFrom(1, 1))
    anna.forget()
    await anna.request('ops:pull', { spaceId, after: 0 })
    expect(anna.seen).toMatchObject([
      { name: 'space:sealed', payload: { accessId: space.accessId } },
      { name: 'ops:appended' },
      { ack: 'ops:pull', reply: { ok: true, cursor: 1 } },
    ])
  })

  it('[SI5] large seals are not sent for each of many changes, and the newest is in the end', async () => {
    const { connect, space, changeAccess, runtime } = createGatewayHarness()
    space.sealLength = limits.maxSealLength
    const anna = connect()
    await anna.join()
    for (let change = 0; change < 50; change++) changeAccess(spaceId, () => {})
    expect(anna.got('space:sealed')).toHaveLength(1)
    // Nobody is sent a commit without the list under which it was made.
    const ben = connect()
    await ben.join()
    await ben.push(opsFrom(1, 1))
    expect(anna.got('ops:appended')).toEqual([])
    runtime.advance(1_000)
    expect(anna.got('space:sealed')).toHaveLength(2)
    expect(anna.seen.slice(-2)).toMatchObject([
      { name: 'space:sealed', payload: { accessId: space.accessId } },
      { name: 'ops:appended', payload: { after: 1, cursor: 1 } },
    ])
    runtime.advance(10_000)
    expect(anna.got('space:sealed')).toHaveLength(2)
    changeAccess(spaceId, () => {})
    expect(anna.got('space:sealed')).toHaveLength(3)
  })

  it('[SI7] a device that knows of members that the server does not is told so, before it learns anything', async () => {
    const { connect } = createGatewayHarness()
    const [anna, stranger] = [connect(), connect({ role: 'none' })]
    const accessId = 'e'.repeat(32)
    anna.forget()
    expect((await anna.join({ accessId })).ack).toMatchObject(refused('access_behind'))
    expect(anna.seen).toHaveLength(1)
    expect((await stranger.join({ accessId })).ack).toMatchObject(refused('not_found'))
    expect((await anna.join()).ack).toMatchObject({ ok: true })
  })

  it('[AU6] everybody leaves a deleted space, and its waiting pushes are refused', async () => {
    const { connect, gateway, spaces, turn } = createGatewayHarness()
    const [anna, ben] = [connect(), connect()]
    await anna.join()
    await ben.join()
    const waiting = await anna.request('ops:push', { spaceId, batch: batchOf() })
    gateway.spaceDeleted(spaceId)
    void spaces.delete(spaceId)
    await turn()
    for (const client of [anna, ben])
      expect(client.got('space:closed')).toEqual([{ spaceId, reason: 'deleted' }])
    expect(waiting.ack).toMatchObject(refused('not_found'))
    expect(ben.got('ops:appended')).toEqual([])
  })
})

describe('sessions on the socket', () => {
  it('[AU2] [AU4] warns a minute before the token expires, and disconnects then', async () => {
    const { connect, runtime } = createGatewayHarness()
    const anna = connect({ lifetimeMs: 900_000 })
    runtime.advance(839_999)
    expect(anna.seen).toEqual([])
    runtime.advance(1)
    expect(anna.got('auth:expiring')).toEqual([{ expiresInMs: 60_000 }])
    runtime.advance(59_999)
    expect(anna.disconnected).toBeUndefined()
    runtime.advance(1)
    expect(anna.disconnected).toMatchObject({ code: 'unauthenticated' })
    expect(runtime.timers).toBe(0)
  })

  it.each([
    ['a year ahead', 365 * 86_400_000],
    ['a year back', -365 * 86_400_000],
  ])('[AU2] [AU4] keeps to the lifetime of a token when the clock is set %s meanwhile', (_, byMs) => {
    const { connect, runtime } = createGatewayHarness()
    const anna = connect({ lifetimeMs: 900_000 })
    runtime.advance(1_000)
    runtime.set(runtime.now() + byMs)
    runtime.advance(839_000)
    expect(anna.got('auth:expiring')).toEqual([{ expiresInMs: 60_000 }])
    expect(anna.disconnected).toBeUndefined()
    runtime.advance(60_000)
    expect(anna.disconnected).toMatchObject({ code: 'unauthenticated' })
  })

  it('[AU2] warns at half of the lifetime when that is less than a minute before its end', async () => {
    const { connect, runtime } = createGatewayHarness()
    const anna = connect({ lifetimeMs: 30_000 })
    runtime.advance(15_000)
    expect(anna.got('auth:expiring')).toEqual([{ expiresInMs: 15_000 }])
  })

  it('serves a token for a lifetime that is longer than any timer', async () => {
    const { connect, runtime } = createGatewayHarness()
    const dayMs = 86_400_000
    const anna = connect({ lifetimeMs: 60 * dayMs })
    runtime.advance(59 * dayMs)
    expect(anna.seen).toEqual([])
    expect(anna.disconnected).toBeUndefined()
    runtime.advance(dayMs)
    expect(anna.disconnected).toBeDefined()
  })

  it('[AU3] keeps serving, without a gap, with a new token of the same user', async () => {
    const { connect, runtime } = createGatewayHarness()
    const anna = connect({ lifetimeMs: 100_000 })
    await anna.join()
    runtime.advance(90_000)
    const renewed = await anna.request('auth:renew', { token: `${anna.userId}/next/100000` })
    expect(renewed.ack).toEqual({ ok: true, expiresInMs: 100_000 })
    runtime.advance(99_999)
    expect(anna.disconnected).toBeUndefined()
    expect((await anna.push(opsFrom(1, 1))).ack).toMatchObject({ ok: true })
    runtime.advance(1)
    expect(anna.disconnected).toBeDefined()
  })

  it("[AU3] refuses another user's token and an invalid one, and keeps the old token's expiry", async () => {
    const { connect, runtime } = createGatewayHarness()
    const anna = connect({ lifetimeMs: 100_000 })
    const other = await anna.request('auth:renew', { token: `${newUserId()}/next/900000` })
    expect(other.ack).toMatchObject(refused('forbidden'))
    expect((await anna.request('auth:renew', { token: 'nonsense' })).ack).toMatchObject(
      refused('unauthenticated'),
    )
    expect(anna.disconnected).toBeUndefined()
    runtime.advance(100_000)
    expect(anna.disconnected).toBeDefined()
  })

  it('[AU5] disconnects the sockets of an ended session, also after a renewal changed the session', async () => {
    const { connect, gateway } = createGatewayHarness()
    const userId = newUserId()
    const [laptop, phone, other] = [
      connect({ userId, sessionId: 'one' }),
      connect({ userId, sessionId: 'two' }),
      connect({ sessionId: 'three' }),
    ]
    await phone.request('auth:renew', { token: `${userId}/one/100000` })
    await other.join()
    gateway.sessionEnded('one')
    expect(laptop.disconnected).toMatchObject({ code: 'unauthenticated' })
    expect(phone.disconnected).toMatchObject({ code: 'unauthenticated' })
    expect(other.disconnected).toBeUndefined()
    expect((await laptop.join()).ack).toMatchObject({ ok: false })
  })

  it('[AU8] reviews every socket after sessions and roles were changed by hand', async () => {
    const { connect, gateway, setRole } = createGatewayHarness()
    const [out, demoted, removed, other] = [
      connect({ sessionId: 'gone' }),
      connect({ sessionId: 'a' }),
      connect({ sessionId: 'b' }),
      connect({ sessionId: 'c' }),
    ]
    for (const client of [out, demoted, removed, other]) await client.join()
    for (const client of [out, demoted, removed, other]) client.forget()
    setRole(demoted.userId, 'viewer')
    setRole(removed.userId, undefined)
    gateway.accessReviewed(({ sessionId }) => sessionId !== 'gone')
    expect(out.disconnected).toMatchObject({ code: 'unauthenticated' })
    expect(demoted.got('space:closed')).toEqual([{ spaceId, reason: 'changed' }])
    expect(removed.got('space:closed')).toEqual([{ spaceId, reason: 'removed' }])
    expect(other.seen).toEqual([])
    expect(other.disconnected).toBeUndefined()
  })
})

describe('presence', () => {
  const show = (client: ReturnType<ReturnType<typeof createGatewayHarness>['connect']>, state: unknown) =>
    client.connection.signal('presence:set', { spaceId, state })

  it('[PR1] shows and hides a connection as it asks, for viewers too', async () => {
    const { connect } = createGatewayHarness()
    const [anna, ben] = [connect(), connect({ role: 'viewer' })]
    await anna.join()
    anna.forget()
    await ben.join()
    expect(anna.seen).toEqual([])
    show(ben, { at: 'chat' })
    const user = { id: ben.userId, name: `name of ${ben.userId.slice(0, 4)}` }
    const present = [{ connectionId: ben.id, user, state: { at: 'chat' } }]
    expect(anna.got('presence:changed')).toEqual([{ spaceId, present, gone: [] }])
    anna.forget()
    show(ben, null)
    show(ben, null)
    expect(anna.got('presence:changed')).toEqual([{ spaceId, present: [], gone: [ben.id] }])
    expect(ben.got('presence:changed')).toHaveLength(1)
  })

  it('[PR2] sends a joining client the presence of everybody else', async () => {
    const { connect } = createGatewayHarness()
    const [anna, ben, cleo] = [connect(), connect(), connect()]
    for (const client of [anna, ben]) await client.join()
    show(anna, 'a')
    await cleo.join()
    expect(cleo.seen.map((it) => ('name' in it ? it.name : it.ack))).toEqual([
      'space:join',
      'presence:changed',
    ])
    expect(cleo.got('presence:changed')).toMatchObject([
      { present: [{ connectionId: anna.id, state: 'a' }], gone: [] },
    ])
    anna.forget()
    await anna.join()
    expect(anna.got('presence:changed')).toEqual([{ spaceId, present: [], gone: [] }])
  })

  it('[PR3] tells of connections that leave or disconnect, if they were shown', async () => {
    const { connect } = createGatewayHarness()
    const [anna, ben, cleo, dan] = [connect(), connect(), connect(), connect()]
    for (const client of [anna, ben, cleo, dan]) await client.join()
    show(ben, 'b')
    show(cleo, 'c')
    anna.forget()
    await ben.request('space:leave', { spaceId })
    cleo.connection.closed()
    dan.connection.closed()
    expect(anna.got('presence:changed')).toEqual([
      { spaceId, present: [], gone: [ben.id] },
      { spaceId, present: [], gone: [cleo.id] },
    ])
  })

  it('[PR4] names user and connection itself, whatever the client sends', async () => {
    const { connect } = createGatewayHarness()
    const [anna, ben] = [connect(), connect()]
    await anna.join()
    await ben.join()
    anna.forget()
    const forged = { spaceId, state: 1, connectionId: 'forged', user: { id: anna.userId, name: 'Anna' } }
    ben.connection.signal('presence:set', forged)
    expect(anna.got('presence:changed')).toMatchObject([
      { present: [{ connectionId: ben.id, user: { id: ben.userId } }] },
    ])
  })

  it('[LI1] splits the presence of a large crowd into several messages', async () => {
    const { connect } = createGatewayHarness({ signalBurst: 1_000 })
    const crowd = Array.from({ length: 20 }, () => connect())
    for (const client of crowd) {
      await client.join()
      show(client, 'x'.repeat(60_000))
    }
    const late = connect()
    await late.join()
    const messages = late.got('presence:changed') as { present: { connectionId: string }[] }[]
    for (const message of messages) {
      expect(JSON.stringify(message).length).toBeLessThan(limits.maxMessageBytes)
    }
    expect(messages.flatMap(({ present }) => present.map((it) => it.connectionId))).toEqual(
      crowd.map(({ id }) => id),
    )
  })
})

describe('transients', () => {
  const changes = [{ treeId, targetId: 'v', key: 'text', value: 'hel', offset: 0 }]

  it('[TR1] reach the others in the space with the sender’s connection, and no log', async () => {
    const { connect, spaces } = createGatewayHarness()
    const [anna, ben, outside] = [connect(), connect({ role: 'viewer' }), connect()]
    await anna.join()
    await ben.join()
    anna.forget()
    anna.connection.signal('ops:transient', { spaceId, changes })
    expect(ben.got('ops:transient')).toEqual([{ spaceId, connectionId: anna.id, changes }])
    expect(anna.seen).toEqual([])
    expect(outside.seen).toEqual([])
    expect((await spaces.open(spaceId)).state.head).toBe(0)
  })

  it('[TR2] are dropped when they come from viewers, from outside, or malformed', async () => {
    const { connect, errors } = createGatewayHarness()
    const [anna, viewer, outside] = [connect(), connect({ role: 'viewer' }), connect()]
    await anna.join()
    await viewer.join()
    const other = connect()
    await other.join()
    anna.forget()
    viewer.connection.signal('ops:transient', { spaceId, changes })
    outside.connection.signal('ops:transient', { spaceId, changes })
    for (const bad of [
      undefined,
      null,
      'x',
      [],
      { spaceId },
      { spaceId, changes: [] },
      { spaceId, changes: [{}] },
    ]) {
      other.connection.signal('ops:transient', bad)
      other.connection.signal('presence:set', bad === undefined ? undefined : [bad])
    }
    other.connection.signal('ops:transient', {
      spaceId,
      changes: [{ treeId, targetId: 'v', key: 'text', value: 'x'.repeat(limits.maxTransientBytes) }],
    })
    expect(anna.seen).toEqual([])
    expect(errors).toEqual([])
  })
})

describe('a server under attack or in trouble', () => {
  const junk = [undefined, null, 0, 'text', [], {}, { spaceId: '../../etc' }, { spaceId: 7 }, () => {}]

  it.each(Object.keys(requests) as RequestName[])(
    '[ER1] [ER2] %s with a malformed payload is one refusal',
    async (name) => {
      const { connect, errors } = createGatewayHarness()
      const client = connect()
      for (const payload of junk) {
        client.forget()
        const answered = await client.request(name, payload)
        expect(answered.ack).toMatchObject(refused('invalid_request'))
        expect(client.seen).toHaveLength(1)
      }
      expect((await client.request('ops:pull', { spaceId, after: -1 })).ack).toMatchObject({
        error: { at: 'after' },
      })
      expect((await client.join()).ack).toMatchObject({ ok: true })
      expect(errors).toEqual([])
    },
  )

  it('[ER5] logs its own bugs, and tells the client only that they are internal', async () => {
    const { connect, spaces, errors } = createGatewayHarness()
    const anna = connect()
    const open = spaces.open.bind(spaces)
    spaces.open = () => {
      throw new TypeError('/home/secret/path is undefined')
    }
    const { ack } = await anna.join()
    expect(ack).toMatchObject(refused('internal'))
    expect(JSON.stringify(ack)).not.toContain('secret')
    expect(errors).toHaveLength(1)
    spaces.open = open
    expect((await anna.join()).ack).toMatchObject({ ok: true })
  })

  it('[LI4] refuses requests over the rate with a time to wait, and takes them afterwards', async () => {
    const { connect, runtime } = createGatewayHarness({ requestsPerSecond: 10, requestBurst: 3 })
    const anna = connect()
    const acks = []
    for (let nth = 0; nth < 5; nth++) acks.push((await anna.join()).ack)
    expect(acks.map((ack) => ack?.ok)).toEqual([true, true, true, false, false])
    expect(acks[3]).toMatchObject({ error: { code: 'rate_limited', retryAfterMs: 100 } })
    runtime.advance(100)
    expect((await anna.join()).ack).toMatchObject({ ok: true })
    expect((await anna.join()).ack).toMatchObject({ ok: false })
  })

  it('[LI4] drops signals over the rate', async () => {
    const { connect } = createGatewayHarness({ signalsPerSecond: 10, signalBurst: 3 })
    const [anna, ben] = [connect(), connect()]
    await anna.join()
    await ben.join()
    anna.forget()
    for (let state = 0; state < 10; state++) ben.connection.signal('presence:set', { spaceId, state })
    expect(anna.got('presence:changed')).toHaveLength(3)
  })

  it('[AP4] leaves out appends for a slow reader, and tells it once it has drained', async () => {
    const { connect } = createGatewayHarness({ maxBacklogBytes: 1_000 })
    const [anna, slow] = [connect(), connect()]
    await anna.join()
    await slow.join()
    slow.forget()
    slow.backlog = 1_001
    await anna.push(opsFrom(1, 2))
    await anna.push(opsFrom(3, 1))
    anna.connection.signal('presence:set', { spaceId, state: 1 })
    anna.connection.signal('presence:set', { spaceId, state: 2 })
    anna.connection.signal('ops:transient', {
      spaceId,
      changes: [{ treeId, targetId: 'v', key: 'k', value: 1 }],
    })
    expect(slow.seen).toEqual([])
    expect((await slow.request('ops:pull', { spaceId, after: 0 })).ack).toMatchObject(refused('rate_limited'))
    slow.connection.drained()
    expect(slow.got('ops:appended')).toEqual([])
    slow.backlog = 0
    slow.connection.drained()
    slow.connection.drained()
    expect(slow.got('ops:appended')).toMatchObject([{ after: 3, cursor: 3 }])
    const [{ batch }] = slow.got('ops:appended') as [{ batch: Uint8Array }]
    expect(decodeBatch(batch).ops).toEqual([])
    expect(slow.got('presence:changed')).toMatchObject([
      { present: [{ connectionId: anna.id, state: 2 }], gone: [] },
    ])
    expect((await slow.request('ops:pull', { spaceId, after: 0 })).ack).toMatchObject({ ok: true, cursor: 3 })
  })

  it('[AP4] tells a slow reader once it has drained who came and who left, but not who did both', async () => {
    const { connect } = createGatewayHarness({ maxBacklogBytes: 1_000 })
    const [slow, gone, back] = [connect(), connect(), connect()]
    for (const client of [slow, gone, back]) await client.join()
    for (const client of [gone, back]) client.connection.signal('presence:set', { spaceId, state: 1 })
    slow.backlog = 1_001
    slow.forget()
    gone.connection.closed()
    back.connection.signal('presence:set', { spaceId, state: null })
    back.connection.signal('presence:set', { spaceId, state: 2 })
    const came = connect()
    for (const client of [came, connect()]) {
      await client.join()
      client.connection.signal('presence:set', { spaceId, state: 3 })
      if (client !== came) client.connection.closed()
    }
    slow.backlog = 0
    slow.connection.drained()
    expect(slow.got('presence:changed')).toMatchObject([
      { present: [{ connectionId: back.id, state: 2 }, { connectionId: came.id }], gone: [gone.id] },
    ])
  })

  it('[AP4] [AP5] bounds the bytes that wait for all sockets of one user, and serves the others', async () => {
    const { connect } = createGatewayHarness({ maxBacklogBytes: 1_000 })
    const [anna, ben] = [connect(), connect()]
    const deaf = Array.from({ length: 5 }, () => connect({ userId: ben.userId }))
    const quick = connect({ userId: ben.userId })
    const all = [anna, quick, ...deaf]
    for (const client of all) {
      await client.join()
      client.forget()
    }
    for (const client of deaf) client.backlog = 900
    await anna.push(opsFrom(1, 1))
    expect(all.map((client) => client.got('ops:appended').length)).toEqual([0, 1, 0, 0, 0, 0, 0])
    const [first] = deaf
    expect((await first!.request('ops:pull', { spaceId, after: 0 })).ack).toMatchObject(
      refused('rate_limited'),
    )
    expect((await quick.request('ops:pull', { spaceId, after: 0 })).ack).toMatchObject({ ok: true })
    for (const client of deaf) client.backlog = 1_900
    expect((await first!.join()).ack).toMatchObject(refused('rate_limited'))
    expect(first?.disconnected).toMatchObject({ code: 'rate_limited' })
    for (const client of deaf) client.backlog = 0
    deaf[1]?.connection.drained()
    expect(deaf[1]?.got('ops:appended')).toMatchObject([{ after: 1, cursor: 1 }])
  })

  it('[AP5] disconnects a client that keeps asking and reads nothing, and serves the others', async () => {
    const { connect } = createGatewayHarness({ maxBacklogBytes: 1_000 })
    const [anna, deaf] = [connect(), connect()]
    await anna.join()
    await deaf.join()
    deaf.backlog = 2_000
    expect((await deaf.request('space:leave', { spaceId })).ack).toMatchObject({ ok: true })
    expect(deaf.disconnected).toBeUndefined()
    deaf.backlog = 2_001
    expect((await deaf.request('space:leave', { spaceId })).ack).toMatchObject(refused('rate_limited'))
    expect(deaf.disconnected).toMatchObject({ code: 'rate_limited' })
    expect((await anna.push(opsFrom(1, 1))).ack).toMatchObject({ ok: true })
  })

  it('[AP4] tells a reader who has drained of a few spaces in each turn, and stops once much waits again', async () => {
    const { connect, setRole, turn, runtime } = createGatewayHarness({ maxBacklogBytes: 1_000 })
    const [anna, slow] = [connect(), connect()]
    const spaceIds = Array.from({ length: 50 }, (_, nr) => `${nr}`.padStart(32, '0') as SpaceId)
    for (const id of spaceIds) {
      for (const { userId } of [anna, slow]) setRole(userId, 'editor', id)
      await anna.join({}, id)
      await slow.join({}, id)
    }
    slow.backlog = 1_001
    for (const id of spaceIds) await anna.push(opsFrom(1, 1, { space: id }), id)
    slow.forget()
    slow.backlog = 0
    slow.connection.drained()
    slow.connection.drained()
    const inFirstTurn = slow.got('ops:appended').length
    expect(inFirstTurn).toBeGreaterThan(0)
    expect(inFirstTurn).toBeLessThan(20)
    slow.backlog = 1_001
    await turn()
    expect(slow.got('ops:appended')).toHaveLength(inFirstTurn)
    slow.backlog = 0
    slow.connection.drained()
    for (let nr = 0; nr < 5; nr++) runtime.turn()
    expect(slow.got('ops:appended')).toHaveLength(50)
  })

  it('[AP5] ends a connection for which far too much waits when what it asked before is answered', async () => {
    const { connect } = createGatewayHarness({ maxBacklogBytes: 1_000 })
    const [anna, deaf] = [connect(), connect()]
    for (const client of [anna, deaf]) await client.join()
    const asked = deaf.send('ops:push', { spaceId, batch: batchOf() })
    deaf.backlog = 2_001
    expect((await anna.push(opsFrom(2, 1))).ack).toMatchObject({ ok: true })
    expect([asked.ack, deaf.disconnected]).toMatchObject([undefined, { code: 'rate_limited' }])
  })

  it('[LI4] drops a signal whose copies for everybody in the space would take too much at once', async () => {
    const { connect } = createGatewayHarness()
    const crowd = Array.from({ length: 140 }, () => connect())
    for (const client of crowd) await client.join()
    const [sender, receiver] = crowd
    receiver!.forget()
    const say = (length: number) =>
      sender!.connection.signal('presence:set', { spaceId, state: 'x'.repeat(length) })
    say(65_000)
    expect(receiver!.got('presence:changed')).toEqual([])
    say(50_000)
    expect(receiver!.got('presence:changed')).toHaveLength(1)
  })

  it('[LI4] charges pushes of one moment before any of them waits for the space', async () => {
    const { connect, spaces, turn } = createGatewayHarness(
      {},
      { operations: { perSecond: 10, burst: 2_500 } },
    )
    const anna = connect()
    await anna.join()
    const opened = Promise.withResolvers<void>()
    const open = spaces.open.bind(spaces)
    spaces.open = async (...asked) => {
      await opened.promise
      return open(...asked)
    }
    const pushes = [1, 2, 3, 4, 5].map((nr) =>
      anna.send('ops:push', { spaceId, batch: batchOf(opsFrom(nr * 1_000, 1_000)) }),
    )
    opened.resolve()
    await turn()
    // The opening and the connection took 700.
    expect(pushes.filter(({ ack }) => ack?.ok === true)).toHaveLength(2)
    for (const { ack } of pushes.slice(2)) expect(ack).toMatchObject(refused('rate_limited'))
  })

  it('[LI5] charges the time that the work of a user takes, as far as the price did not cover it', async () => {
    const { connect, userLimits, gateway } = createGatewayHarness(
      {},
      { operations: { perSecond: 10, burst: 10_000 } },
    )
    const anna = connect()
    await anna.join()
    await anna.push(opsFrom(1, 4_000))
    const allowance = userLimits.of(anna.userId)
    // 4,700 operations were paid for: 23.5 ms. What is left are 5,300, or 26.5 ms.
    gateway.spent(anna.userId, 23)
    gateway.spent(anna.userId, 26)
    expect(() => allowance.checkOperations()).not.toThrow()
    gateway.spent(anna.userId, 2)
    expect(() => allowance.checkOperations()).toThrow('too many operations')
  })

  it('[PU11] [LI1] keeps the ack of a push within the limit of a message, whatever is rejected', async () => {
    const { connect } = createGatewayHarness()
    const anna = connect()
    await anna.join()
    const far = (count: number) => opsFrom(5_000_000, count, { peer: '9'.repeat(64) })
    const some = await anna.push([setOp(1, 'good'), ...far(15_000)])
    expect(some.ack).toMatchObject({ ok: true, after: 0, cursor: 1 })
    expect(JSON.stringify(some.ack).length).toBeLessThan(limits.maxMessageBytes)
    const rejected = some.ack?.ok === true ? some.ack.rejected : []
    expect(rejected).toHaveLength(15_000)
    expect(rejected.every(({ index, code }, at) => index === at + 1 && code === 'clock_out_of_range')).toBe(
      true,
    )
    expect(rejected.filter(({ message }) => message !== '')).toHaveLength(1_000)
    const all = await anna.push([setOp(2, 'not taken either'), ...far(15_001)])
    expect(all.ack).toMatchObject(refused('too_large'))
    expect((await anna.request('ops:pull', { spaceId, after: 1 })).ack).toMatchObject({ ok: true, head: 1 })
  })

  it('sends the acks of others when one ack cannot be sent', async () => {
    const { connect, errors, turn } = createGatewayHarness()
    const [broken, anna] = [connect(), connect()]
    await broken.join()
    await anna.join()
    broken.connection.request('ops:push', { spaceId, batch: batchOf(opsFrom(1, 1, { peer: '1' })) }, () => {
      throw new RangeError('the transport is broken')
    })
    const pushed = await anna.request('ops:push', { spaceId, batch: batchOf(opsFrom(1, 1, { peer: '2' })) })
    await turn()
    expect(pushed.ack).toMatchObject({ ok: true, after: 1, cursor: 2 })
    expect(errors).toHaveLength(1)
  })

  it('ignores messages of an ended connection', async () => {
    const { connect, runtime, turn } = createGatewayHarness()
    const [anna, gone] = [connect(), connect()]
    await anna.join()
    await gone.join()
    anna.forget()
    gone.connection.closed()
    gone.connection.closed()
    gone.connection.signal('presence:set', { spaceId, state: 1 })
    gone.connection.drained()
    expect((await gone.request('ops:push', { spaceId, batch: batchOf() })).ack).toMatchObject(
      refused('unavailable'),
    )
    await turn()
    expect(anna.seen).toEqual([])
    expect(runtime.timers).toBe(2)
  })

  it('finishes requests under way before it closes, then tells everybody and takes nothing more', async () => {
    const { connect, gateway, runtime, turn } = createGatewayHarness()
    const [anna, ben] = [connect(), connect()]
    await anna.join()
    const pushed = await anna.request('ops:push', { spaceId, batch: batchOf() })
    const closed = gateway.close()
    expect((await ben.join()).ack).toMatchObject(refused('unavailable'))
    await turn()
    await closed
    expect(pushed.ack).toMatchObject({ ok: true, cursor: 1 })
    expect(anna.got('space:closed')).toEqual([{ spaceId, reason: 'unavailable' }])
    for (const client of [anna, ben]) expect(client.disconnected).toMatchObject({ code: 'unavailable' })
    const late = connect()
    await turn()
    expect(late.disconnected).toMatchObject({ code: 'unavailable' })
    const data = {
      userId: anna.userId,
      userName: 'Anna',
      sessionId: 'another',
      tokenExpiresAt: runtime.now() + 60_000,
    }
    expect(() => gateway.checkSocket(data)).toThrow('shutting down')
  })

  it('tells a client that the storage of its space fails, and serves the others', async () => {
    const { connect, spaces, setRole } = createGatewayHarness()
    const anna = connect()
    setRole(anna.userId, 'editor', otherSpaceId)
    const open = spaces.open.bind(spaces)
    spaces.open = (id) => {
      if (id === spaceId) throw new SyncError('storage_failed', 'the storage of this space fails')
      return open(id)
    }
    expect((await anna.join()).ack).toMatchObject(refused('storage_failed'))
    expect((await anna.join({}, otherSpaceId)).ack).toMatchObject({ ok: true })
    expect((await anna.join({ logId: randomHexId() }, otherSpaceId)).ack).toMatchObject({
      ok: true,
      cursor: 0,
    })
  })
})
