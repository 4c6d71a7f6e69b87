import { userSchema, type SpaceId, type SpaceIdentity, type SpaceSummary } from '@t69/protocol'
import { expect, it } from 'vitest'

import { createManualTime, turns } from '../runtime/testing/manual-time.ts'
import { memoryStorage } from '../storage/memory-storage.ts'
import type { Account } from './account.ts'
import { createSpaceDirectory } from './space-directory.ts'

const space = (letter: string): SpaceSummary => ({
  id: letter.repeat(32) as SpaceId,
  identity: letter.repeat(32) as SpaceIdentity,
  name: letter,
  role: 'owner',
  createdAt: letter.charCodeAt(0),
})

/** A directory whose requests to the server the test answers one by one. */
function setUp() {
  const user = (letter: string) =>
    userSchema.parse({ id: letter.repeat(32), email: `${letter}@example.org`, name: letter })
  const questions: ((spaces: SpaceSummary[]) => void)[] = []
  const account = {
    user: user('a'),
    mayUse: () => true,
    configKey: (name: string) => name,
    listSpaces: () => new Promise<SpaceSummary[]>((resolve) => questions.push(resolve)),
  }
  const directory = createSpaceDirectory({
    server: 'http://127.0.0.1:1/',
    storage: memoryStorage(),
    account: account as Partial<Account> as Account,
    runtime: createManualTime(0),
    onRenamed: () => {},
  })
  const list = async () => (await directory.list()).map(({ name }) => name)
  return { directory, questions, list, signIn: (letter: string) => void (account.user = user(letter)) }
}

it('a late reply does not undo changes that came after its request', async () => {
  const { directory, questions, list } = setUp()
  const [early, late] = [list(), list()]
  await turns()
  questions[1]?.([space('b'), space('c')])
  expect(await late).toEqual(['b', 'c'])
  questions[0]?.([space('b')])
  expect(await early).toEqual(['b', 'c'])

  const before = list()
  await turns()
  await directory.remember(space('d'))
  questions[2]?.([space('b'), space('c')])
  expect(await before).toEqual(['b', 'c', 'd'])
  const gone = list()
  await turns()
  await directory.forget(space('b').id)
  questions[3]?.([space('b'), space('c'), space('d')])
  expect(await gone).toEqual(['c', 'd'])
})

it('a list requested by one user is not shown to another who signs in meanwhile', async () => {
  const { questions, list, signIn } = setUp()
  const asked = list()
  await turns()
  signIn('e')
  questions[0]?.([space('b')])
  expect(await asked).toEqual([])
  const own = list()
  await turns()
  questions[1]?.([space('f')])
  expect(await own).toEqual(['f'])
})
