import {
  decodeBatch,
  encodeBatch,
  accessIdSchema,
  epochSchema,
  logIdSchema,
  peerIdSchema,
  spaceIdentitySchema,
  spaceIdSchema,
  treeIdSchema,
  userIdSchema,
  vertexIdSchema,
  type AccessId,
  type Epoch,
  type ErrorBody,
  type ErrorCode,
  type LogId,
  type RoleName,
  type SpaceIdentity,
  type SpaceSeal,
  type TreeOperation,
  type UserId,
} from '@t69/protocol'

import {
  runsOf,
  unsynced,
  type AttestedRun,
  type KeptSeal,
  type OutboxSlice,
  type RejectedEdit,
  type SyncState,
} from '../../storage/index.ts'
import {
  createSyncMachine,
  type Effect,
  type LogRange,
  type MachineStart,
  type Request,
  type SyncEvent,
  type SyncMachine,
  type Write,
} from '../state.ts'
import { step } from '../step.ts'

export const spaceId = spaceIdSchema.parse('aa'.repeat(16))
const treeId = treeIdSchema.parse('tree')
const epochNumber = (number: number): Epoch => epochSchema.parse(number.toString(16).padStart(32, 'e'))
export const identityNumber = (number: number): SpaceIdentity =>
  spaceIdentitySchema.parse(number.toString(16).padStart(32, 'd'))
export const accessIdNumber = (number: number): AccessId =>
  accessIdSchema.parse(number.toString(16).padStart(32, 'c'))
export const logIdNumber = (number: number): LogId => logIdSchema.parse(number.toString(16).padStart(32, '0'))

const [me, somebodyElse] = ['1', '2'].map((digit) => userIdSchema.parse(digit.repeat(32)))

/** Who commits the operations of a peer first. */
export const userOf = ({ peerId }: TreeOperation): UserId => {
  const userId = peerId === 'me' ? me : somebodyElse
  if (userId === undefined) throw new Error('There are two users')
  return userId
}

/** An operation that differs from others only by its clock. */
export function op(clock: number, peer = 'me'): TreeOperation {
  const targetId = vertexIdSchema.parse('v')
  return { clock, peerId: peerIdSchema.parse(peer), treeId, spaceId, targetId, key: 'k', value: clock }
}

export const range = (
  after: number,
  ops: readonly TreeOperation[],
  logId = logIdNumber(1),
  epoch = epochNumber(1),
): LogRange => ({
  logId,
  epoch,
  after,
  cursor: after + ops.length,
  ops,
  attested: ops.flatMap((one) => runsOf([one], { userId: userOf(one), at: 0 })),
})

function refusal(code: ErrorCode, at?: string): SyncEvent {
  return { type: 'refused', error: { code, message: 'no', ...(at !== undefined && { at }) } }
}

/**
 * A sync machine with the simplest possible storage and server log. Everything under way between them is held here,
 * and the test decides what happens next.
 */
export class MachineWorld {
  machine: SyncMachine
  // The device.
  saved: SyncState
  seal: KeptSeal | null = null
  readonly held = new Map<number, { op: TreeOperation; receivedUnder: LogId | null }>()
  outbox: { entry: number; op: TreeOperation }[] = []
  rejected: RejectedEdit[] = []
  readonly shown = new Set<number>()
  /** Who committed each operation, as the device has learned it first. */
  readonly authors = new Map<number, UserId>()
  // The server.
  logId = logIdNumber(1)
  log: TreeOperation[] = []
  identity = identityNumber(1)
  /** Whether the server knows the space. */
  isKnown = true
  /** The access ids that the server has made for the space, or has learned from seals. The last one is the present one. */
  accessIds = [accessIdNumber(1)]
  /** Whether the server has the key to the seals. */
  readsSeals = true
  /** After which position each server process began to write. */
  #epochs: { readonly epoch: Epoch; readonly after: number }[] = []
  #process = epochNumber(1)
  #processes = 1
  /** The user's role according to the server. A newer server may name a role that this client does not know. */
  role: RoleName = 'editor'
  /** Whether the server sends the first page with its answer to a join, which it need not. */
  joinsWithPage = true
  /** Says which operations the server rejects. */
  refuses: (op: TreeOperation) => boolean = () => false
  // Between them.
  request: Request | null = null
  writes: Write[] = []
  /** How often the device has left the room. */
  left = 0
  /** The reads of the outbox under way, with what each saw when it began. */
  reads: (OutboxSlice | undefined)[] = []
  retries = 0
  /** The events that the server has sent over the current connection, in order. */
  wire: SyncEvent[] = []
  joined = false
  #logs = 1
  #clock = 0
  #entry = 0
  #accesses = 1

  /** A device that opened the space from the server's list; or, if not `registered`, one that has created it. */
  constructor(registered = true) {
    this.isKnown = registered
    this.saved = registered ? { ...unsynced, identity: this.identity } : unsynced
    this.machine = createSyncMachine({ saved: this.saved, registered })
  }

  /** Starts the device again, with what it has stored. */
  reload(start: Partial<MachineStart> = {}): void {
    this.request = null
    this.writes = []
    this.reads = []
    this.wire = []
    this.joined = false
    this.machine = createSyncMachine({ saved: this.saved, seal: this.seal, registered: true, ...start })
  }

  /** Changes the members of the space. Who has joined gets the seal, unless the server is slower than that. */
  changeMembers(isTold = true): void {
    this.accessIds.push(accessIdNumber(++this.#accesses))
    if (this.joined && isTold) this.wire.push({ type: 'sealed', seal: this.#sealed() })
  }

  #sealed(): SpaceSeal {
    const accessId = this.accessIds.at(-1)
    if (accessId === undefined) throw new Error('The space has no members')
    return { accessId, seal: `the members at ${accessId}` }
  }

  send(event: SyncEvent): readonly Effect[] {
    const { machine, effects } = step(this.machine, event)
    this.machine = machine
    for (const effect of effects) this.#start(effect)
    return effects
  }

  #start(effect: Effect): void {
    if (effect.do === 'write') this.writes.push(effect.write)
    else if (effect.do === 'request') {
      this.#forgetAnswers()
      this.request = effect.request
    } else if (effect.do === 'read-outbox') this.reads.push(this.#readOutbox())
    else if (effect.do === 'show') for (const { clock } of effect.ops) this.shown.add(clock)
    else if (effect.do === 'retry-later') this.retries++
    else if (effect.do === 'leave') this.left++
  }

  /** Makes an edit on the device. */
  edit(): TreeOperation {
    const made = op(++this.#clock)
    this.#queue(made, ++this.#entry)
    this.send({ type: 'edited' })
    return made
  }

  /** Makes edits in one turn: one entry of the outbox has them. */
  editTogether(count: number): void {
    const entry = ++this.#entry
    for (let made = 0; made < count; made++) this.#queue(op(++this.#clock), entry)
    this.send({ type: 'edited' })
  }

  #queue(made: TreeOperation, entry: number): void {
    this.held.set(made.clock, { op: made, receivedUnder: null })
    this.outbox.push({ entry, op: made })
  }

  /** Commits an edit of another device. */
  editElsewhere(made = op(++this.#clock, 'other')): void {
    this.#commit([made])
    if (!this.joined) return
    this.wire.push({ type: 'appended', range: this.#range(this.log.length - 1, [made]) })
  }

  connect(): void {
    if (this.machine.link === 'down') this.send({ type: 'connected' })
  }

  disconnect(): void {
    this.request = null
    this.wire = []
    this.joined = false
    this.send({ type: 'disconnected' })
  }

  /** Restores the server from a backup with the first `kept` operations. No client has noticed yet. */
  loseHistory(kept: number): void {
    this.disconnect()
    this.log = this.log.slice(0, kept)
    this.#epochs = this.#epochs.filter(({ after }) => after < kept)
    this.#process = epochNumber(++this.#processes)
  }

  /** Whether the log vouches for a position ([LC6]). */
  holds({ logId, epoch, cursor }: SyncState): boolean {
    if (logId !== this.logId) return false
    if (cursor === 0) return true
    const index = this.#epochs.findIndex((known) => known.epoch === epoch)
    return index >= 0 && (this.#epochs[index + 1]?.after ?? this.log.length) >= cursor
  }

  #commit(ops: readonly TreeOperation[]): void {
    if (ops.length > 0 && this.#epoch !== this.#process)
      this.#epochs.push({ epoch: this.#process, after: this.log.length })
    if (ops.length > 0 && this.#epochs.length === 0) this.#epochs.push({ epoch: this.#process, after: 0 })
    this.log.push(...ops)
  }

  get #epoch(): Epoch {
    return this.#epochs.at(-1)?.epoch ?? this.#process
  }

  #range(after: number, ops: readonly TreeOperation[]): LogRange {
    return range(after, ops, this.logId, this.#epoch)
  }

  /** Tells the machine that the storage does not match the log. */
  distrust(): void {
    this.request = null
    this.send({ type: 'distrusted' })
  }

  /** Drops replies that the machine no longer waits for. */
  #forgetAnswers(): void {
    this.wire = this.wire.filter(({ type }) => ['appended', 'sealed', 'closed'].includes(type))
  }

  finishWrite(error?: ErrorBody): void {
    const write = this.writes.shift()
    if (write === undefined) return
    if (error !== undefined) return void this.send({ type: 'write-failed', error })
    const missing = write.kind === 'queue-missing' ? this.#missing(write.logId) : []
    if (write.kind === 'queue-missing' && !write.mayQueue && missing.length > 0) {
      return void this.send({ type: 'written', heldBack: true })
    }
    const goesBack = write.state.logId === this.saved.logId && write.state.cursor < this.saved.cursor
    this.saved = write.state
    if (goesBack) for (const held of this.held.values()) held.receivedUnder = null
    if (write.kind === 'append' || write.kind === 'settle') this.#learn(write.attested)
    if (write.kind === 'append') {
      for (const one of write.ops) this.held.set(one.clock, { op: one, receivedUnder: write.state.logId })
    } else if (write.kind === 'settle') {
      this.outbox = this.outbox.filter(({ entry }) => !write.entries.includes(entry))
      this.rejected.push(...write.refused)
    } else if (write.kind === 'keep-seal') {
      this.seal = write.seal
    } else if (write.kind === 'queue-missing') {
      for (const op of missing) this.outbox.push({ entry: ++this.#entry, op })
    }
    this.send({ type: 'written' })
  }

  /** What the device holds, and the log that it has read does not. */
  #missing(logId: LogId): TreeOperation[] {
    const aside = new Set([...this.outbox, ...this.rejected].map((item) => item.op.clock))
    const held = Array.from(this.held).filter(
      ([clock, { receivedUnder }]) => receivedUnder !== logId && !aside.has(clock),
    )
    return held.map(([, { op }]) => op)
  }

  #learn(runs: readonly AttestedRun[]): void {
    for (const { from, to, userId } of runs) {
      for (let clock = from; clock <= to; clock++)
        if (!this.authors.has(clock)) this.authors.set(clock, userId)
    }
  }

  #readOutbox(): OutboxSlice | undefined {
    const slice = this.outbox.slice(0, 3)
    if (slice.length === 0) return undefined
    const entries = [...new Set(slice.map(({ entry }) => entry))]
    const ops = slice.map((item) => item.op)
    return { entries, ops, batch: encodeBatch({ spaceId, ops }) }
  }

  finishRead(): void {
    if (this.reads.length > 0) this.send({ type: 'outbox-read', slice: this.reads.shift() })
  }

  /** Lets the server answer the request under way, or refuse it. The reply is on the wire. */
  serve(refusal?: ErrorBody): void {
    const { request } = this
    this.request = null
    if (request === null) return
    this.wire.push(refusal === undefined ? this.#answer(request) : { type: 'refused', error: refusal })
  }

  #answer(request: Request): SyncEvent {
    switch (request.kind) {
      case 'register':
        return this.#register(request.seal)
      case 'join': {
        const { identity } = request.from
        const { accessId } = request
        if (!this.isKnown) return refusal('not_found')
        if (identity !== null && identity !== this.identity) return refusal('other_space')
        if (accessId !== null && !this.accessIds.includes(accessId)) return refusal('access_behind')
        this.joined = true
        const isHeld = this.holds(request.from)
        if (!isHeld && request.from.logId === this.logId) this.logId = logIdNumber(++this.#logs)
        const cursor = isHeld ? request.from.cursor : 0
        const reply = { logId: this.logId, epoch: this.#epoch, cursor, head: this.log.length }
        const seal = this.#sealed()
        return {
          type: 'joined',
          ...(this.joinsWithPage && cursor < this.log.length && { page: this.#page(cursor) }),
          reply: {
            ...reply,
            identity: this.identity,
            role: this.role,
            ...(seal.accessId !== accessId && { seal }),
          },
        }
      }
      case 'pull': {
        return { type: 'pulled', range: this.#page(request.after), head: this.log.length }
      }
      case 'push':
        return this.#push(request.batch === undefined ? request.ops : decodeBatch(request.batch).ops)
    }
  }

  #page(after: number): LogRange {
    return this.#range(after, this.log.slice(after, after + 2))
  }

  #register(seal: KeptSeal | null): SyncEvent {
    if (seal !== null && !this.readsSeals) return refusal('invalid_request', 'seal')
    if (seal !== null && !this.accessIds.includes(seal.accessId)) this.accessIds.unshift(seal.accessId)
    this.isKnown = true
    return { type: 'registered', identity: this.identity }
  }

  #push(ops: readonly TreeOperation[]): SyncEvent {
    const known = new Set(this.log.map(({ clock }) => clock))
    const after = this.log.length
    const rejected = ops.flatMap((one, index) =>
      this.refuses(one) ? [{ index, code: 'op_conflict' as const, message: 'no' }] : [],
    )
    const taken = ops.filter((one) => !known.has(one.clock) && !this.refuses(one))
    this.#commit(taken)
    const cursor = this.log.length
    const duplicates = ops.length - taken.length - rejected.length
    const committed = ops.filter((one) => !this.refuses(one))
    const attested = me === undefined ? [] : runsOf(committed, { userId: me, at: 0 })
    const position = { logId: this.logId, epoch: this.#epoch, after, cursor, head: cursor }
    return { type: 'pushed', ack: { ...position, at: 0, duplicates, rejected }, attested }
  }

  /** Delivers the next event on the wire. */
  deliver(): void {
    if (this.machine.request === null) this.#forgetAnswers()
    const next = this.wire.shift()
    if (next !== undefined) this.send(next)
  }

  /** Lets everything succeed until nothing is left to do, and calls `between` before each step. */
  settle(between: () => void = () => {}): void {
    this.connect()
    for (let turns = 0; turns < 10_000; turns++) {
      between()
      if (this.writes.length > 0) this.finishWrite()
      else if (this.wire.length > 0) this.deliver()
      else if (this.request !== null) this.serve()
      else if (this.reads.length > 0) this.finishRead()
      else if (this.machine.pause !== null || this.machine.pushPause?.until === 'retry')
        this.send({ type: 'retry' })
      else return
    }
    throw new Error('The machine never comes to rest')
  }
}
