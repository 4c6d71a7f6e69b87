import { Replica } from '@t69/replica'
import { expect, test } from 'vitest'

import { applyEdit, filesOf } from './file-tree.ts'
import { finalFiles, readTrace } from './trace.ts'

const treeId = 'a'.repeat(32)

test('replaying the kysely history makes 68,548 operations, and the tree has the files of the repository', () => {
  const commits = readTrace('kysely')
  using tree = Replica.create(treeId)
  tree.setVertexProperty(treeId, 'name', 'kysely')
  for (const { edits } of commits) for (const edit of edits) applyEdit(tree, edit)
  expect(tree.getAllOps()).toHaveLength(68_548)
  expect(filesOf(tree).size).toBe(781)
  expect(filesOf(tree)).toEqual(finalFiles(commits))
})

test('a moved file keeps its vertex, gets its new name, and leaves no file at its old path', () => {
  using tree = Replica.create(treeId)
  const file = { blob: 'aaaaaaaa', bytes: 3 }
  applyEdit(tree, { kind: 'write', isNew: true, path: 'src/old.ts', file })
  applyEdit(tree, { kind: 'move', from: 'src/old.ts', to: 'lib/deep/new.ts' })
  expect(filesOf(tree)).toEqual(new Map([['lib/deep/new.ts', file]]))
  applyEdit(tree, { kind: 'delete', path: 'lib/deep/new.ts' })
  expect(filesOf(tree)).toEqual(new Map())
})
