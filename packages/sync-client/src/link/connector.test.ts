import { SyncError, type Ack, type ErrorBody, type RequestName, type RequestReply } from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import { createManualTime, turns } from '../runtime/testing/manual-time.ts'
import { createConnector, type ConnectorListener } from './connector.ts'
import type { Link } from './open-link.ts'
import type { ConnectionListener, Transport } from './transport.ts'

const unavailable: ErrorBody = { code: 'unavailable', message: 'gone' }

/** A connector and its attempts, which the test opens and closes. */
function setUp(chance = 1) {
  const time = createManualTime(chance)
  const attempts: { listener: ConnectionListener; token: string; isClosed: boolean; asked: string[] }[] = []
  const silence = { forMs: 0, boundMs: Number.POSITIVE_INFINITY }
  const answers = { reply: (): Promise<Ack<RequestReply<RequestName>>> => new Promise(() => {}) }
  const transport: Transport = {
    connect({ token }, listener) {
      const attempt = { listener, token, isClosed: false, asked: [] as string[] }
      attempts.push(attempt)
      return {
        request(name, _payload, answered) {
          attempt.asked.push(name)
          void answers.reply().then((ack) => answered(ack as Parameters<typeof answered>[0]))
        },
        signal() {},
        silence: () => silence,
        close: () => void (attempt.isClosed = true),
      }
    },
  }
  let tokens = 0
  const auth = { fails: null as SyncError | null, invalidated: 0 }
  const account = {
    async accessToken() {
      if (auth.fails !== null) throw auth.fails
      return { token: `token-${++tokens}`, renewInMs: 60_000 }
    },
    invalidate: () => void auth.invalidated++,
  }
  const links: Link[] = []
  const log: string[] = []
  const connector = createConnector(
    { transport, runtime: time, account },
    {
      opened(link) {
        links.push(link)
        log.push('opened')
      },
      lost: () => log.push('lost'),
      notified: {
        'ops:appended': () => log.push('appended'),
        'ops:transient': () => {},
        'presence:changed': () => {},
        'space:sealed': () => {},
        'space:closed': () => {},
      },
      changed: () => {},
    },
  )
  return { time, attempts, silence, answers, auth, links, log, connector }
}

const signedIn = { accessToken: async () => ({ token: 'token', renewInMs: 60_000 }), invalidate() {} }
const unheard: ConnectorListener = {
  opened() {},
  lost() {},
  notified: {
    'ops:appended'() {},
    'ops:transient'() {},
    'presence:changed'() {},
    'space:sealed': () => {},
    'space:closed'() {},
  },
  changed() {},
}

/** A transport whose connections are open before `connect` returns. */
function openingAtOnce(onClose: () => void): Transport {
  return {
    connect(_handshake, listener) {
      listener.opened()
      return {
        request: (_name, _payload, answered) => answered({ ok: false, error: unavailable }),
        signal() {},
        close: onClose,
      }
    },
  }
}

async function opened(world: ReturnType<typeof setUp>): Promise<void> {
  world.connector.start()
  await turns()
  world.attempts.at(-1)!.listener.opened()
}

/** Starts, and lets so many attempts fail. The next one waits. */
async function failing(world: ReturnType<typeof setUp>, attempts: number): Promise<void> {
  world.connector.start()
  await turns()
  for (let count = 0; count < attempts; count++) {
    if (count > 0) await world.time.pass(world.time.waiting[0]!)
    world.attempts.at(-1)!.listener.closed(unavailable)
  }
}

describe('The connector', () => {
  it('that opens before connect returns is used', async () => {
    const log: string[] = []
    const connector = createConnector(
      { transport: openingAtOnce(() => {}), runtime: createManualTime(1), account: signedIn },
      { ...unheard, opened: () => log.push('opened') },
    )
    connector.start()
    await turns()
    expect(connector.report.phase).toBe('open')
    expect(log).toEqual(['opened'])
  })

  it('is closed when the connector is started again', async () => {
    const log: string[] = []
    const connector = createConnector(
      { transport: openingAtOnce(() => log.push('closed')), runtime: createManualTime(1), account: signedIn },
      { ...unheard, opened: () => log.push('opened'), lost: () => log.push('lost') },
    )
    connector.start()
    await turns()
    connector.start()
    await turns()
    expect(log.toSorted()).toEqual(['closed', 'lost', 'opened', 'opened'])
    connector.stop()
  })

  it('reconnects after growing pauses when the connection breaks', async () => {
    const world = setUp()
    world.connector.start()
    await turns()
    const pauses: number[] = []
    for (let count = 0; count < 4; count++) {
      world.attempts.at(-1)!.listener.closed(unavailable)
      expect(world.connector.report.phase).toBe('offline')
      pauses.push(world.time.waiting[0]!)
      await world.time.pass(world.time.waiting[0]!)
    }
    expect(pauses).toEqual([1000, 2000, 4000, 8000])
    expect(world.attempts).toHaveLength(5)
  })

  it('starts over with short pauses after a connection that lived for 10 s', async () => {
    const world = setUp()
    await opened(world)
    world.attempts[0]!.listener.closed(unavailable)
    await world.time.pass(1000)
    world.attempts[1]!.listener.opened()
    await world.time.pass(10_000)
    world.attempts[1]!.listener.closed(unavailable)
    expect(world.time.waiting[0]).toBe(1000)
    expect(world.log).toEqual(['opened', 'lost', 'opened', 'lost'])
  })

  it('reconnects within 200 ms when somebody looks at the page', async () => {
    const world = setUp(0.5)
    await failing(world, 6)
    expect(world.time.waiting[0]).toBeGreaterThan(5_000)
    world.connector.wake('somebody')
    await world.time.pass(200)
    expect(world.attempts).toHaveLength(7)
  })

  it('does not connect before the time that the server named, even when somebody looks', async () => {
    const world = setUp(0)
    world.connector.start()
    await turns()
    world.attempts[0]!.listener.closed({ code: 'rate_limited', message: 'later', retryAfterMs: 40_000 })
    for (let second = 0; second < 39; second++) {
      world.connector.wake('somebody')
      world.connector.wake('network')
      await world.time.pass(1_000)
    }
    expect(world.attempts).toHaveLength(1)
    await world.time.pass(1_000)
    expect(world.attempts).toHaveLength(2)
  })

  it('reconnects within two seconds when the network is back, however often the browser says so', async () => {
    const world = setUp(0.75)
    await failing(world, 6)
    for (let count = 0; count < 3; count++) {
      world.connector.wake('network')
      await world.time.pass(450)
    }
    expect(world.attempts).toHaveLength(6)
    await world.time.pass(150)
    expect(world.attempts).toHaveLength(7)
  })

  it('reconnects within five seconds when somebody edits, and goes on trying as long as they do', async () => {
    const world = setUp(0.5)
    await failing(world, 8)
    for (const attempts of [9, 10]) {
      for (let edit = 0; edit < 5; edit++) {
        world.connector.wake('edit')
        await world.time.pass(499)
      }
      expect(world.attempts).toHaveLength(attempts - 1)
      world.connector.wake('edit')
      await world.time.pass(5)
      expect(world.attempts).toHaveLength(attempts)
      world.attempts.at(-1)!.listener.closed(unavailable)
    }
  })

  it('reconnects within 200 ms when somebody looks who has just edited', async () => {
    const world = setUp(0.5)
    await failing(world, 8)
    world.connector.wake('edit')
    world.connector.wake('somebody')
    await world.time.pass(200)
    expect(world.attempts).toHaveLength(9)
  })

  it('asks a silent connection nothing because of an edit, which is sent itself', async () => {
    const world = setUp()
    world.silence.boundMs = 45_000
    await opened(world)
    world.silence.forMs = 20_000
    world.connector.wake('edit')
    await turns()
    expect(world.attempts[0]!.asked).toEqual([])
  })

  it('gives up a connection that was silent for too long while the timers of the device stood still', async () => {
    const world = setUp()
    world.silence.boundMs = 45_000
    await opened(world)
    world.silence.forMs = 44_000
    await world.time.pass(15_000)
    expect(world.log).toEqual(['opened'])
    world.silence.forMs = 3_600_000
    await world.time.pass(15_000)
    expect(world.log).toEqual(['opened', 'lost'])
  })

  it('replaces a connection that was silent for too long at once when somebody looks', async () => {
    const world = setUp()
    world.silence.boundMs = 45_000
    await opened(world)
    world.silence.forMs = 3_600_000
    world.connector.wake('somebody')
    expect(world.log).toEqual(['opened', 'lost'])
    expect(world.attempts[0]!.isClosed).toBe(true)
    await world.time.pass(200)
    expect(world.attempts).toHaveLength(2)
  })

  it('asks a connection that has been silent for a sign of life when somebody looks, and only then', async () => {
    const world = setUp()
    world.silence.boundMs = 45_000
    await opened(world)
    world.silence.forMs = 4_000
    world.connector.wake('somebody')
    await turns()
    expect(world.attempts[0]!.asked).toEqual([])
    world.silence.forMs = 20_000
    world.connector.wake('somebody')
    await turns()
    expect(world.attempts[0]!.asked).toEqual(['auth:renew'])
    await world.time.pass(10_000)
    expect(world.log).toEqual(['opened', 'lost'])
  })

  it('gives the connection up when the browser reports no network, and reconnects by itself', async () => {
    const world = setUp()
    await opened(world)
    world.connector.doubt()
    expect(world.connector.report.phase).toBe('offline')
    await world.time.pass(1000)
    world.attempts[1]!.listener.opened()
    expect(world.log).toEqual(['opened', 'lost', 'opened'])
  })

  it('ignores a connection that it has given up', async () => {
    const world = setUp()
    await opened(world)
    world.attempts[0]!.listener.closed(unavailable)
    await world.time.pass(1000)
    world.attempts[0]!.listener.opened()
    world.attempts[0]!.listener.closed(unavailable)
    world.connector.stop()
    world.attempts[1]!.listener.opened()
    expect(world.log).toEqual(['opened', 'lost'])
    expect(world.attempts[1]!.isClosed).toBe(true)
    expect(world.time.waiting).toEqual([])
  })

  it('gives up a connection that does not answer a request within 30 s', async () => {
    const world = setUp()
    await opened(world)
    world.links[0]!.request('space:leave', { spaceId: 'aa'.repeat(16) }, () => {})
    await world.time.pass(30_000)
    expect(world.log).toEqual(['opened', 'lost'])
    expect(world.attempts[0]!.isClosed).toBe(true)
  })
})

describe('The access token', () => {
  it('is replaced at once when the handshake first refuses it, and after pauses from then on', async () => {
    const world = setUp()
    world.connector.start()
    await turns()
    world.attempts[0]!.listener.closed({ code: 'unauthenticated', message: 'expired' })
    await turns()
    expect(world.attempts[1]!.token).toBe('token-2')
    world.attempts[1]!.listener.closed({ code: 'unauthenticated', message: 'expired' })
    await turns()
    expect(world.attempts).toHaveLength(2)
    await world.time.pass(1000)
    expect(world.attempts).toHaveLength(3)
    expect(world.auth.invalidated).toBe(2)
  })

  it('is replaced after pauses when each connection that opens is refused soon after', async () => {
    const world = setUp()
    world.connector.start()
    const refuse = async (): Promise<void> => {
      await turns()
      world.attempts.at(-1)!.listener.opened()
      world.attempts.at(-1)!.listener.closed({ code: 'unauthenticated', message: 'expired' })
      await turns()
    }
    await refuse()
    await refuse()
    expect(world.attempts).toHaveLength(2)
    await world.time.pass(1000)
    expect(world.attempts).toHaveLength(3)
    // A connection that lasted begins the count again.
    world.attempts.at(-1)!.listener.opened()
    await world.time.pass(10_000)
    await refuse()
    expect(world.attempts).toHaveLength(4)
  })

  it('is renewed on the open connection before it runs out, and when the server asks', async () => {
    const world = setUp()
    await opened(world)
    world.answers.reply = async () => ({ ok: true, expiresInMs: 100_000 })
    await world.time.pass(60_000)
    world.attempts[0]!.listener.notified('auth:expiring', { expiresInMs: 1_000 })
    await turns()
    expect(world.attempts[0]!.asked).toEqual(['auth:renew', 'auth:renew'])
    expect(world.log).toEqual(['opened'])
  })

  it('of another user is replaced on a new connection, and nothing is said of a lack of rights', async () => {
    const world = setUp()
    await opened(world)
    const error: ErrorBody = { code: 'forbidden', message: 'the token is another user’s: connect again' }
    world.answers.reply = async () => ({ ok: false, error })
    await world.time.pass(60_000)
    expect(world.attempts).toHaveLength(2)
    expect(world.attempts[1]!.token).not.toBe(world.attempts[0]!.token)
    expect(world.connector.report.error?.code).not.toBe('forbidden')
  })

  it('is fetched later, on the same connection, if there is no network when it is due', async () => {
    const world = setUp()
    await opened(world)
    world.auth.fails = new SyncError('unavailable', 'no network')
    await world.time.pass(65_000)
    expect(world.log).toEqual(['opened'])
    world.auth.fails = null
    world.answers.reply = async () => ({ ok: true, expiresInMs: 100_000 })
    await world.time.pass(30_000)
    expect(world.attempts[0]!.asked).toEqual(['auth:renew'])
  })
})

it('A client that is too old stops connecting, and reports that it is blocked', async () => {
  const world = setUp()
  world.connector.start()
  await turns()
  world.attempts[0]!.listener.closed({ code: 'unsupported_version', message: 'reload' })
  await world.time.pass(3_600_000)
  expect(world.attempts).toHaveLength(1)
  expect(world.connector.report).toMatchObject({ phase: 'blocked', error: { code: 'unsupported_version' } })
})
