import { treeSchema, type TreeSnapshot } from '@t69/protocol'
import type { Replica } from '@t69/replica'
import { createSyncClient, memoryStorage, type Space } from '@t69/sync-client'
import { expect, test } from 'vitest'

import { applyEdit, filesOf, listFiles } from '../lib/file-tree.ts'
import { startServer } from '../lib/server-process.ts'
import { finalFiles, readTrace } from '../lib/trace.ts'

const people = 6
const password = 'six people, one repository'
const deadlineMs = 60_000

/** A client that plays some of the history's authors, with the trees that everybody edits. */
interface Replayer {
  readonly space: Space
  /** The repository's files. They are edited in turn, each author seeing everything before, as in the real history. */
  readonly files: Replica
  /** Notes that everybody edits at once, without waiting for others. */
  readonly notes: Replica
}

/**
 * The author of a commit had seen the commits before it, so the next client waits until the last one has arrived.
 * Everything else happens at once: six outboxes push, and the notes are edited throughout.
 */
test('a real history replayed by six clients through the server gives the same tree everywhere', async () => {
  const commits = readTrace('kysely')
  await using server = await startServer({ env: { LOG_LEVEL: 'warn' } })
  await using stack = new AsyncDisposableStack()
  const replayers: Replayer[] = []
  let files = ''
  let notes = ''
  let spaceId = ''
  for (let n = 0; n < people; n++) {
    const client = stack.use(createSyncClient({ url: server.url, storage: memoryStorage() }))
    await client.signUp({ email: emailOf(n), password, name: `Person ${n}` })
    const [first] = replayers
    if (first === undefined) {
      const space = await client.createSpace({ name: 'kysely' })
      const trees = { files: await space.createTree(), notes: await space.createTree() }
      spaceId = space.id
      files = space.treeIdOf(trees.files)
      notes = space.treeIdOf(trees.notes)
      await space.flushed()
      replayers.push({ space, ...trees })
      continue
    }
    const { token } = await first.space.invite('editor')
    await client.acceptInvite(token)
    const space = await client.openSpace(spaceId)
    const trees = { files: await space.openTree(files), notes: await space.openTree(notes) }
    await until(trees.notes, () => trees.files.root !== undefined && trees.notes.root !== undefined)
    replayers.push({ space, ...trees })
  }

  let last = replayers[0]!
  for (const commit of commits) {
    const next = replayers[commit.peer % people]!
    if (next !== last) {
      last.files.setVertexProperty(files, 'commit', commit.index)
      await until(next.files, () => next.files.getVertexProperty(files, 'commit') === commit.index)
      last = next
    }
    for (const edit of commit.edits) applyEdit(next.files, edit)
    scribble(replayers[commit.index % people]!.notes, commit.index)
  }

  await Promise.all(replayers.map(({ space }) => space.flushed()))
  const accessToken = await signIn(server.url)
  const shown = await readTree(server.url, accessToken, spaceId, files)
  const shownNotes = await readTree(server.url, accessToken, spaceId, notes)
  await Promise.all(replayers.map(({ space }) => caughtUp(space, shownNotes.cursor)))

  expect(listFiles(shown.vertices, files)).toEqual(finalFiles(commits))
  for (const replayer of replayers) {
    expect(replayer.space.status).toMatchObject({ phase: 'live', pending: 0, rejected: 0 })
    expect(replayer.files.digest()).toBe(shown.digest)
    expect(replayer.notes.digest()).toBe(shownNotes.digest)
    expect(filesOf(replayer.files)).toEqual(finalFiles(commits))
  }
})

function emailOf(person: number): string {
  return `person-${person}@example.org`
}

/** Adds, moves and writes vertices that this replica shows, which are the same as everybody else's. */
function scribble(tree: Replica, index: number): void {
  const root = tree.root
  if (root === undefined) return
  root.setProperty('touched', index)
  const vertices = tree.getAllVertices().filter((vertex) => vertex.parentId !== null)
  const pick = (step: number) => vertices[(index * step) % vertices.length]
  const note = root.newNamedChild(`note ${index}`)
  const [a, b] = [pick(7), pick(13)]
  if (a !== undefined && b !== undefined && a.id !== b.id && !tree.isAncestor(b.id, a.id)) a.moveTo(b)
  b?.setProperty('touched', index)
  if (index % 5 === 0) note.delete()
}

async function until(tree: Replica, isSo: () => boolean): Promise<void> {
  if (isSo()) return
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const unsubscribe = tree.observeOpApplied(() => {
    if (isSo()) resolve()
  })
  const deadline = setTimeout(() => reject(new Error('what the others wrote did not come')), deadlineMs)
  await promise.finally(() => {
    unsubscribe()
    clearTimeout(deadline)
  })
}

async function caughtUp(space: Space, head: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const check = () => {
    if (space.status.cursor >= head && space.status.pending === 0) resolve()
  }
  const unsubscribe = space.onStatus(check)
  check()
  const late = () => reject(new Error(`stuck: ${JSON.stringify(space.status)}, head ${head}`))
  const deadline = setTimeout(late, deadlineMs)
  await promise.finally(() => {
    unsubscribe()
    clearTimeout(deadline)
  })
}

async function signIn(url: string): Promise<string> {
  const response = await fetch(`${url}/api/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: emailOf(0), password }),
  })
  const { accessToken }: { accessToken?: unknown } = await response.json()
  return String(accessToken)
}

async function readTree(url: string, token: string, spaceId: string, treeId: string): Promise<TreeSnapshot> {
  const headers = { authorization: `Bearer ${token}` }
  const response = await fetch(`${url}/api/spaces/${spaceId}/trees/${treeId}`, { headers })
  return treeSchema.parse(await response.json())
}
