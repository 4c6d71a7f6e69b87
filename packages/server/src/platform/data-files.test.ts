import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { randomHexId, spaceIdSchema } from '@t69/protocol'
import { afterEach, beforeEach, expect, it } from 'vitest'

import { pathOfSpace } from '../logs/space-path.ts'
import { lookForFiles } from './data-files.ts'

let dataDir: string

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 't69-data-files-'))
})

afterEach(() => rm(dataDir, { recursive: true }))

async function write(path: string, content = 'content'): Promise<string> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content)
  return path
}

const pathOf = (id: string): string => pathOfSpace(dataDir, spaceIdSchema.parse(id))

it('finds the file of each space, whichever form its id has [ID1]', async () => {
  const paths = [
    await write(pathOf(randomHexId()), 'ten bytes.'),
    await write(pathOf(randomUUID()), 'ten bytes.'),
  ]
  const found = await lookForFiles(dataDir)
  expect(found.spacePaths.toSorted()).toEqual(paths.toSorted())
  expect(found.spaces).toEqual([10, 10])
})

it('takes nothing else for the file of a space, and knows what was set aside by its name', async () => {
  const path = pathOf(randomUUID())
  const aside = await write(`${path}.corrupt-2026-11-28T10-11-12.345Z`)
  for (const other of [`${path}-wal`, `${path}-shm`, `${path}.deleted`, join(dirname(path), 'notes.db')])
    await write(other)
  await write(join(dataDir, `${randomHexId()}.db`))
  const found = await lookForFiles(dataDir)
  expect(found.spacePaths).toEqual([])
  expect(found.setAside).toEqual([
    { path: aside, bytes: 7, setAsideAt: Date.parse('2026-11-28T10:11:12.345Z') },
  ])
})
