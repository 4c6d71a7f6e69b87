import {
  decodeBatch,
  encodeBatch,
  errorResponseSchema,
  inviteSchema,
  opKey,
  type RequestPayload,
  type SessionReply,
  sessionSchema,
  spaceIdSchema,
  spaceListSchema,
  spaceSchema,
  type SpaceSeal,
  type SpaceId,
  type TreeOperation,
} from '@t69/protocol'

import { connectRaw, type RawSocket } from '../lib/raw-socket.ts'

const password = 'correct horse battery'

/** What a device keeps of a space. */
interface KeptSpace {
  readonly spaceId: SpaceId
  name: string
  position: Pick<RequestPayload<'space:join'>, 'identity' | 'accessId' | 'logId'>
  seal: SpaceSeal | undefined
  readonly ops: Map<string, TreeOperation>
}

interface Reply {
  readonly status: number
  /** `200`, or `404 not_found`. */
  readonly outcome: string
  readonly body: unknown
}

/**
 * A device of one person, over a bare socket: it does what SPEC.md, "Identity", asks of a client, and no more. So these
 * tests show what a server does, whatever our client makes of it.
 */
export interface Device {
  readonly name: string
  readonly userId: string
  readonly spaces: ReadonlyMap<SpaceId, KeptSpace>
  /** The texts of all operations that this device has ever been sent. */
  readonly sent: ReadonlySet<string>
  call(method: string, path: string, body?: object): Promise<Reply>
  create(name: string): Promise<SpaceId>
  rename(spaceId: SpaceId, to: string): Promise<void>
  invite(spaceId: SpaceId): Promise<string>
  accept(token: string): Promise<SpaceId>
  /** Writes one operation, and returns once it is committed. */
  write(spaceId: SpaceId, text: string): Promise<void>
  /** Signs in again, or up if the server has lost the account. */
  signIn(): Promise<void>
  /** Signs in, joins every space, and brings back what its log lacks. */
  comeBack(): Promise<void>
  /** Joins with whatever helps, and pulls: `ok`, or the code of the refusal. */
  tryToRead(spaceId: SpaceId): Promise<string>
  /** The spaces on the server, by name. */
  list(): Promise<string[]>
  disconnect(): void
}

export async function createDevice(url: string, name: string): Promise<Device> {
  const email = `${name.toLowerCase()}@example.org`
  const spaces = new Map<SpaceId, KeptSpace>()
  const sent = new Set<string>()
  let clock = 0
  const peerId = Array.from(name, (letter) => letter.charCodeAt(0)).join('')
  let session = await register()
  let socket: RawSocket | undefined
  await connect()

  async function call(
    method: string,
    path: string,
    body?: object,
    token = session.accessToken,
  ): Promise<Reply> {
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    const read: unknown = text === '' ? undefined : JSON.parse(text)
    const error = errorResponseSchema.safeParse(read)
    const outcome = error.success ? `${response.status} ${error.data.error.code}` : String(response.status)
    return { status: response.status, outcome, body: read }
  }

  async function register(seal?: string): Promise<SessionReply> {
    const reply = await call(
      'POST',
      '/api/auth/register',
      { email, password, name, ...(seal && { seal }) },
      'none',
    )
    return sessionSchema.parse(reply.body)
  }

  async function signIn(): Promise<void> {
    const signedIn = await call('POST', '/api/auth/login', { email, password }, 'none')
    session = signedIn.status === 200 ? sessionSchema.parse(signedIn.body) : await register(session.seal)
  }

  async function connect(): Promise<void> {
    socket = await connectRaw(url, session.accessToken)
    socket.io.on('ops:appended', ({ batch }: { batch: Uint8Array }) => note(batch))
    socket.io.on('space:sealed', ({ spaceId, ...seal }: SpaceSeal & { spaceId: SpaceId }) => {
      const space = spaces.get(spaceId)
      if (space !== undefined) keepSeal(space, seal)
    })
  }

  function wire(): RawSocket {
    if (socket === undefined) throw new Error('the device is not connected')
    return socket
  }

  function note(batch: Uint8Array): readonly TreeOperation[] {
    const { ops } = decodeBatch(new Uint8Array(batch))
    for (const { value } of ops) if (typeof value === 'string') sent.add(value)
    return ops
  }

  function keepSeal(space: KeptSpace, seal: SpaceSeal): void {
    space.seal = seal
    space.position = { ...space.position, accessId: seal.accessId }
  }

  async function join(space: KeptSpace, position: KeptSpace['position']) {
    const ack = await wire().request('space:join', { spaceId: space.spaceId, ...position })
    if (ack.ok) {
      space.position = { ...space.position, identity: ack.identity, logId: ack.logId }
      if (ack.seal !== undefined) keepSeal(space, ack.seal)
    }
    return ack
  }

  const show = ({ spaceId: id, name: called, seal }: KeptSpace) =>
    call('POST', '/api/spaces', { id, name: called, seal: seal?.seal })

  async function keep(spaceId: SpaceId, called: string): Promise<KeptSpace> {
    const space: KeptSpace = { spaceId, name: called, position: {}, seal: undefined, ops: new Map() }
    spaces.set(spaceId, space)
    const joined = await join(space, {})
    if (joined.ok) await pull(space)
    return space
  }

  async function pull(space: KeptSpace): Promise<Set<string>> {
    const held = new Set<string>()
    for (let after = 0; ;) {
      const page = await wire().request('ops:pull', { spaceId: space.spaceId, after })
      if (!page.ok) throw new Error(`${name} pulls ${space.name}: ${page.error.code}`)
      for (const op of note(page.batch)) {
        held.add(opKey(op))
        space.ops.set(opKey(op), op)
      }
      if (page.cursor === after) return held
      after = page.cursor
    }
  }

  async function push(space: KeptSpace, ops: TreeOperation[]): Promise<void> {
    const { spaceId } = space
    const ack = await wire().request('ops:push', { spaceId, batch: encodeBatch({ spaceId, ops }) })
    if (!ack.ok || ack.rejected.length > 0) throw new Error(`${name} pushes: ${JSON.stringify(ack)}`)
    for (const op of ops) space.ops.set(opKey(op), op)
  }

  return {
    name,
    userId: session.user.id,
    spaces,
    sent,
    call,
    async create(called) {
      const id = spaceIdSchema.parse(crypto.randomUUID())
      await call('POST', '/api/spaces', { id, name: called, registration: crypto.randomUUID() })
      await keep(id, called)
      return id
    },
    async rename(spaceId, to) {
      const reply = await call('PATCH', `/api/spaces/${spaceId}`, { name: to })
      const space = spaces.get(spaceId)
      if (space !== undefined) space.name = spaceSchema.parse(reply.body).name
    },
    async invite(spaceId) {
      const reply = await call('POST', `/api/spaces/${spaceId}/invites`, { role: 'viewer' })
      return inviteSchema.parse(reply.body).token
    },
    async accept(token) {
      const space = spaceSchema.parse((await call('POST', `/api/invites/${token}/accept`)).body)
      await keep(space.id, space.name)
      return space.id
    },
    async write(spaceId, text) {
      const space = spaces.get(spaceId)
      if (space === undefined) throw new Error('no such space')
      const at = {
        clock: ++clock,
        peerId,
        treeId: 'notes',
        spaceId,
        targetId: 'note',
        key: name,
        value: text,
      }
      await push(space, [at as unknown as TreeOperation])
    },
    signIn,
    async comeBack() {
      await signIn()
      await connect()
      for (const space of spaces.values()) {
        let ack = await join(space, space.position)
        if (!ack.ok && (ack.error.code === 'access_behind' || ack.error.code === 'not_found')) {
          await show(space)
          ack = await join(space, space.position)
        }
        if (!ack.ok) continue
        const held = await pull(space)
        const lacking = [...space.ops.values()].filter((op) => !held.has(opKey(op)))
        if (lacking.length > 0 && ack.role !== 'viewer') await push(space, lacking)
      }
    },
    async tryToRead(spaceId) {
      const space = spaces.get(spaceId) ?? (await keep(spaceId, 'Shared'))
      await show(space)
      const http = await call('GET', `/api/spaces/${spaceId}/trees/notes`)
      if (http.status === 200) for (const text of sentIn(http.body)) sent.add(text)
      const ack = await join(space, {})
      if (!ack.ok) return ack.error.code
      await pull(space)
      return 'ok'
    },
    async list() {
      const reply = await call('GET', '/api/spaces')
      return spaceListSchema
        .parse(reply.body)
        .spaces.map((space) => `${space.name} ${space.role}`)
        .toSorted()
    },
    disconnect() {
      socket?.[Symbol.dispose]()
      socket = undefined
    },
  }
}

function sentIn(body: unknown): string[] {
  return JSON.stringify(body).match(/[a-z]+ of [A-Z][a-z]+[^"]*/g) ?? []
}
