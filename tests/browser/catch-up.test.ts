import { rm } from 'node:fs/promises'

import { packBatches, sessionSchema, spaceIdSchema, type SpaceId } from '@t69/protocol'
import type { CDPSession, Page } from 'playwright-core'
import { expect, vi } from 'vitest'

import { readOps, spaceFile } from '../faults/space-file.ts'
import { createChatHistory } from '../lib/chat-history.ts'
import { connectRaw } from '../lib/raw-socket.ts'
import { story, type Stage } from '../lib/story.ts'
import {
  accountOf,
  message,
  newChat,
  openSpace,
  ready,
  openT69,
  say,
  signIn,
  spaceOf,
  synced,
  treeItem,
} from '../lib/t69-page.ts'
import { openOwnSpace } from '../lib/two-people.ts'

/** How many operations there are to fetch. Set FAULT_CATCH_UP=500000 for the long run. */
const long = process.env['FAULT_CATCH_UP']
const count = Number(long ?? 30_000)
/** A slow wire: over a fast one, a short history has arrived before a busy machine can look at it. */
const wire = long === undefined ? { bytesPerSecond: 1_000_000 } : {}
const deadlineMs = 280_000
const anna = accountOf('Anna')

/** Pushes years of chats into the space, from a program other than t69. */
async function fillSpace({ server }: Stage, spaceId: SpaceId): Promise<void> {
  const { email, password } = anna
  const response = await fetch(new URL('/api/auth/login', server.url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, password, session: 'body' }),
  })
  using socket = await connectRaw(server.url, sessionSchema.parse(await response.json()).accessToken)
  await socket.request('space:join', { spaceId })
  const { trees } = createChatHistory(spaceId, { count, large: 8, seed: 1 })
  for (const { bytes } of packBatches(spaceId, [...trees.values()].flat()))
    expect(await socket.outcomeOf('ops:push', { spaceId, batch: bytes })).toBe('ok')
}

interface Progress {
  readonly phase: string
  readonly cursor: number
  readonly head: number
  readonly pending: number
}

const isDone = ({ phase, pending, cursor, head }: Progress): boolean =>
  phase === 'live' && pending === 0 && cursor === head

async function progress(page: Page): Promise<Progress> {
  return await page.getByTestId('sync-status').evaluate(({ dataset }) => ({
    phase: dataset['phase'] ?? '',
    cursor: Number(dataset['cursor']),
    head: Number(dataset['head']),
    pending: Number(dataset['pending']),
  }))
}

async function reached(page: Page, cursor: number): Promise<number> {
  return await vi.waitFor(
    async () => {
      const now = await progress(page)
      expect(now.cursor).toBeGreaterThan(cursor)
      return now.cursor
    },
    { timeout: deadlineMs, interval: 50 },
  )
}

/** How much memory the page's scripts hold, in MiB, without garbage. */
async function heldMiB(devtools: CDPSession): Promise<number> {
  await devtools.send('HeapProfiler.collectGarbage')
  const { usedSize } = await devtools.send('Runtime.getHeapUsage')
  return usedSize / 2 ** 20
}

/** The peak of the page's memory above its first size, in MiB, measured at each step of progress until `isOver`. */
async function watchHeap(
  page: Page,
  isOver: (now: Progress) => boolean,
): Promise<{ peakMiB: number; seen: number[] }> {
  const devtools = await page.context().newCDPSession(page)
  const idle = await heldMiB(devtools)
  let peak = idle
  const seen: number[] = []
  for (const begun = performance.now(); performance.now() - begun < deadlineMs;) {
    const now = await progress(page)
    if (isOver(now)) return { peakMiB: Math.round((peak - idle) * 10) / 10, seen }
    if (seen.at(-1) !== now.cursor) seen.push(now.cursor)
    peak = Math.max(peak, await heldMiB(devtools))
  }
  throw new Error(`not over: ${JSON.stringify(await progress(page))}`)
}

story(
  'a new phone fetches years of chats, and its user writes while they arrive',
  async (stage) => {
    const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
    const spaceId = spaceIdSchema.parse(await spaceOf(laptop.page))
    await newChat(laptop.page, 'Shopping')
    await say(laptop.page, 'Bread')
    await synced(laptop.page)
    await fillSpace(stage, spaceId)

    const phone = await stage.device("Anna's phone", {}, wire)
    await openT69(phone.page, phone.url)
    await signIn(phone.page, anna)
    const begun = performance.now()
    await openSpace(phone.page, spaceId)
    await treeItem(phone.page, { title: 'Shopping' }).click()
    await message(phone.page, 'Bread').waitFor()
    const early = await progress(phone.page)
    await stage.shot(phone, 'while it catches up')
    await say(phone.page, 'Butter')
    const killedAt = await reached(phone.page, count / 3)
    await phone.killTab()
    await ready(phone.page)
    const fetched = await watchHeap(phone.page, isDone)
    const seconds = Math.round((performance.now() - begun) / 100) / 10
    const steps = fetched.seen.length
    console.log('fetched by a browser', {
      operations: count,
      seconds,
      heldMiB: fetched.peakMiB,
      early,
      killedAt,
      steps,
    })
    expect(early.phase).toBe('catching-up')
    expect(fetched.seen[0]).toBeGreaterThanOrEqual(killedAt)
    expect(steps).toBeGreaterThanOrEqual(2)
    expect(fetched.seen).toEqual(fetched.seen.toSorted((a, b) => a - b))
    expect(fetched.peakMiB).toBeLessThan(60)
    await message(laptop.page, 'Butter').waitFor()
    const { head } = await progress(phone.page)

    // The server loses all of it, and no other device is there to restore it.
    await laptop.close()
    await stage.server.kill()
    for (const suffix of ['', '-wal', '-shm'])
      await rm(spaceFile(stage.server.dataDir, spaceId) + suffix, { force: true })
    await stage.server.start()
    phone.expectLostConnections()
    const restarted = performance.now()
    await phone.lookAgain()
    const sent = await watchHeap(phone.page, (now) => isDone(now) && now.head >= head)
    console.log('sent by a browser', {
      operations: count,
      seconds: Math.round((performance.now() - restarted) / 100) / 10,
      heldMiB: sent.peakMiB,
    })
    expect(sent.peakMiB).toBeLessThan(60)
    expect(readOps(spaceFile(stage.server.dataDir, spaceId)).count).toBe(head)
  },
  { env: { SPACE_QUOTA_OPERATIONS: '1000000' } },
)
