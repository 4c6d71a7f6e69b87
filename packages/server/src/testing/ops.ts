import type {
  Epoch,
  JsonValue,
  PeerId,
  SpaceId,
  TreeId,
  TreeOperation,
  UserId,
  VertexId,
} from '@t69/protocol'
import { randomHexId } from '@t69/protocol'

import type { LogRange, OpLog } from '../logs/op-log.ts'

export const spaceId = 'a1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4' as SpaceId
export const otherSpaceId = 'b1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4' as SpaceId
export const treeId = 'tree' as TreeId

export const newEpoch = (): Epoch => randomHexId() as Epoch
export const newUserId = (): UserId => randomHexId() as UserId

interface Where {
  readonly peer?: string
  readonly tree?: string
  readonly target?: string
  readonly space?: SpaceId
}

function base(clock: number, { peer = '1', tree = treeId, target = 'vertex', space = spaceId }: Where) {
  return {
    clock,
    peerId: peer as PeerId,
    treeId: tree as TreeId,
    spaceId: space,
    targetId: target as VertexId,
  }
}

/** Sets a property, or removes it without a value. */
export function setOp(clock: number, value: JsonValue | undefined, where: Where = {}): TreeOperation {
  return { ...base(clock, where), key: 'name', ...(value === undefined ? {} : { value }) }
}

export function moveOp(clock: number, parent: string | null, where: Where = {}): TreeOperation {
  return { ...base(clock, where), parentId: parent as VertexId | null }
}

export function opsFrom(first: number, count: number, where: Where = {}): TreeOperation[] {
  return Array.from({ length: count }, (_, index) => setOp(first + index, `value ${first + index}`, where))
}

/** Somebody who commits, where it does not matter who. */
export const anybody = newUserId()

/** Appends operations of one user to a log. */
export function appendTo(
  log: Pick<OpLog, 'append'>,
  ops: readonly TreeOperation[],
  userId = anybody,
): LogRange {
  const { after, cursor } = log.append([{ userId, ops }], Date.now())
  return { after, cursor }
}
