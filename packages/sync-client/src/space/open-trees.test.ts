import { treeIdSchema, type TreeId, type TreeOperation } from '@t69/protocol'
import { expect, it } from 'vitest'

import { op, spaceId } from '../machine/testing/machine-world.ts'
import { systemRuntime, type Runtime } from '../runtime/index.ts'
import { turns } from '../runtime/testing/manual-time.ts'
import { createOpenTrees, type OpenTrees } from './open-trees.ts'

function openTrees(
  readTree: (treeId: TreeId) => Promise<TreeOperation[]>,
  {
    runtime = systemRuntime,
    onMerging = () => {},
    stored = () => Promise.resolve(),
  }: { runtime?: Runtime; onMerging?: () => void; stored?: () => Promise<void> } = {},
): OpenTrees {
  return createOpenTrees({
    spaceId,
    runtime,
    readTree,
    onMerging,
    onEdit: () => {},
    onTransient: () => {},
    onFilled: () => {},
    stored,
  })
}

it('an opened tree shows 130,000 operations that arrived while it was being read', async () => {
  const read = Promise.withResolvers<TreeOperation[]>()
  const trees = openTrees(() => read.promise)
  const first = op(1)
  const opening = trees.open(first.treeId)
  // More operations than a function call takes arguments.
  trees.show(Array.from({ length: 130_000 }, (_, index) => op(index + 2)))
  read.resolve([first])
  expect((await opening).getAllOps()).toHaveLength(130_001)
  trees.suspend(null)
})

it('suspended trees are read again as often as they were open, with what arrived while they were read', async () => {
  const read = Promise.withResolvers<TreeOperation[]>()
  const [stored, late] = [op(1), op(2)]
  let reads = 0
  const trees = openTrees(() => (reads++ === 0 ? Promise.resolve([stored]) : read.promise))
  const before = await trees.open(stored.treeId)
  await trees.open(stored.treeId)
  trees.suspend('locked')
  expect(trees.ids()).toEqual([])
  expect(() => before.merge([])).toThrow('disposed')

  const resuming = trees.resume()
  trees.show([late])
  await trees.close(stored.treeId)
  read.resolve([stored])
  expect(await resuming).toEqual([stored.treeId])
  expect(trees.get(stored.treeId)?.getAllOps()).toHaveLength(2)
  await trees.close(stored.treeId)
  expect(trees.ids()).toEqual([])
})

it('a tree that is being opened when the trees are suspended rejects, and is not read again', async () => {
  const read = Promise.withResolvers<TreeOperation[]>()
  const trees = openTrees(() => read.promise)
  const opening = trees.open(op(1).treeId)
  trees.suspend(new Error('locked'))
  read.resolve([op(1)])
  await expect(opening).rejects.toThrow('locked')
  expect(await trees.resume()).toEqual([])
})

it('trees of which one cannot be read stay suspended, but for those that are closed meanwhile', async () => {
  const [first, second] = [op(1), { ...op(2), treeId: treeIdSchema.parse('f'.repeat(32)) }]
  let isBroken = false
  const trees = openTrees(async (treeId) => {
    if (isBroken && treeId === second.treeId) throw new Error('the disk is gone')
    return [first, second].filter((one) => one.treeId === treeId)
  })
  for (const { treeId } of [first, second]) await trees.open(treeId)
  trees.suspend('locked')
  isBroken = true
  await expect(trees.resume()).rejects.toThrow('the disk is gone')
  expect(trees.ids()).toEqual([])
  await trees.close(first.treeId)
  isBroken = false
  expect(await trees.resume()).toEqual([second.treeId])
})

/** A runtime whose timers end one by one, when the test says so: `turn` ends the first one without a delay. */
function handTurned() {
  const waiting = new Set<{ readonly callback: () => void; readonly delayMs: number }>()
  const runtime: Runtime = {
    ...systemRuntime,
    setTimer(callback, delayMs) {
      const timer = { callback, delayMs }
      waiting.add(timer)
      return () => void waiting.delete(timer)
    },
  }
  const end = async (isDue: (delayMs: number) => boolean) => {
    const timer = [...waiting].find(({ delayMs }) => isDue(delayMs))
    if (timer !== undefined) waiting.delete(timer)
    timer?.callback()
    await turns()
  }
  return { runtime, turn: () => end((delayMs) => delayMs === 0), wait: () => end((delayMs) => delayMs > 0) }
}

const large = (): TreeOperation[] => Array.from({ length: 25_000 }, (_, index) => op(25_000 - index))

it('a large tree is opened in turns, says so until all of it is merged, and has what arrived meanwhile', async () => {
  const { runtime, turn } = handTurned()
  const told: boolean[] = []
  const trees: OpenTrees = openTrees(() => Promise.resolve(large()), {
    runtime,
    onMerging: () => told.push(trees.isMerging),
  })
  const { treeId } = op(1)
  const opening = trees.open(treeId)
  await turns()
  for (let turnNr = 0; turnNr < 3; turnNr++) {
    expect([trees.isMerging, trees.get(treeId)]).toEqual([true, undefined])
    if (turnNr === 1) trees.show([op(25_001)])
    await turn()
  }
  expect((await opening).getAllOps()).toHaveLength(25_001)
  expect([trees.isMerging, told]).toEqual([false, [true, false]])
  trees.suspend(null)
})

it('a tree that takes long to read counts as being merged, until it is shown', async () => {
  const { runtime, wait } = handTurned()
  const read = Promise.withResolvers<TreeOperation[]>()
  const trees = openTrees(() => read.promise, { runtime })
  const opening = trees.open(op(1).treeId)
  expect(trees.isMerging).toBe(false)
  await wait()
  expect(trees.isMerging).toBe(true)
  read.resolve([op(1)])
  await opening
  await turns()
  expect(trees.isMerging).toBe(false)
  // What was read at once never counts, however much time passes.
  await trees.open(op(1).treeId)
  await wait()
  expect(trees.isMerging).toBe(false)
  trees.suspend(null)
})

it('a large tree that is being opened when the trees are suspended rejects, and merges no more', async () => {
  const { runtime, turn } = handTurned()
  const trees = openTrees(() => Promise.resolve(large()), { runtime })
  const refused = trees.open(op(1).treeId).catch((error: unknown) => error)
  await turns()
  await turn()
  trees.suspend(new Error('locked'))
  await turn()
  expect(await refused).toEqual(new Error('locked'))
  expect(trees.isMerging).toBe(false)
})

it('a tree that is replaced twice at once shows what arrived between the two', async () => {
  const reads: PromiseWithResolvers<TreeOperation[]>[] = []
  const trees = openTrees(() => {
    const read = Promise.withResolvers<TreeOperation[]>()
    reads.push(read)
    return read.promise
  })
  const { treeId } = op(1)
  const opening = trees.open(treeId)
  reads[0]!.resolve([op(1)])
  await opening
  const replacing = [trees.replace(treeId), trees.replace(treeId)]
  await turns()
  reads[1]!.resolve([op(1)])
  await turns()
  trees.show([op(2)])
  reads[2]!.resolve([op(1)])
  await Promise.all(replacing)
  expect(trees.get(treeId)?.getAllOps()).toHaveLength(2)
  trees.suspend(null)
})

it('a tree that is replaced while it is being closed takes no more edits', async () => {
  const { treeId } = op(1)
  let disk = Promise.resolve()
  const trees = openTrees(() => Promise.resolve([op(1)]), { stored: () => disk })
  await trees.open(treeId)
  const { promise, resolve: finishWrites } = Promise.withResolvers<void>()
  const first = trees.get(treeId)
  disk = promise
  const closing = trees.close(treeId)
  await turns()
  disk = Promise.resolve()
  await trees.replace(treeId)
  const second = trees.get(treeId)
  expect(second).not.toBe(first)
  finishWrites()
  await closing
  expect(() => second!.merge([])).toThrow('disposed')
})
