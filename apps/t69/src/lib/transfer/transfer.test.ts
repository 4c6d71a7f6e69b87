import { createSyncClient, memoryStorage, type ImportedTree, type SyncClient } from '@t69/sync-client'
import { strToU8, zipSync } from 'fflate'
import { expect, test } from 'vitest'

import {
  addMessage,
  addVersion,
  layOutChat,
  messageOf,
  showVersion,
  threadOf,
  type Chosen,
} from '../model/chat-tree.ts'
import { deleteMessage } from '../model/deleted-messages.ts'
import { addItem, forestRows, layOutSpace, titleOf } from '../model/space-tree.ts'
import { copyChat } from './copy-chat.ts'
import { treesOfChats, partsThatFit } from './imported-chat.ts'
import { fileNameOf, markdownOf } from './markdown.ts'
import { readExport } from './read-export.ts'
import { fileTreeOf, newTrees } from './space-file.ts'
import { unzipTexts } from './unzip.ts'
import { createSpaceZip } from './zip-space.ts'

async function local(): Promise<SyncClient & AsyncDisposable> {
  const client = createSyncClient({ url: 'http://127.0.0.1:9', storage: memoryStorage(), session: 'storage' })
  await client.ready
  return client
}

const json = (value: unknown, name = 'export.json') => new File([JSON.stringify(value)], name)

/** What a person sees of each chat of the spaces in a file, once it is imported: the title, then the messages. */
async function imported(file: File): Promise<Record<string, string[]>> {
  await using client = await local()
  const seen: Record<string, string[]> = {}
  for (const { name, trees } of await readExport(file, file.name)) {
    const space = await client.openSpace(await client.importSpace({ name, trees }))
    for (const row of forestRows(space.root, () => true)) {
      const item = space.root.getVertex(row.id)!
      if (row.treeId === null) continue
      const tree = await space.openTree(row.treeId)
      seen[titleOf(item)] = threadOf(tree).map(({ id, versions }) => {
        const { role, text } = messageOf(tree.getVertex(id)!)
        return `${role}${versions.length > 1 ? ` (1 of ${versions.length})` : ''}: ${text}`
      })
    }
  }
  return seen
}

test('a space that is exported and imported shows the same, with folders, versions and what no version knows', async () => {
  await using client = await local()
  const space = await client.createSpace({ name: 'Notes' })
  layOutSpace(space.root)
  const folderId = addItem(space.root, { title: 'Kitchen' })
  const tree = await space.createTree()
  const treeId = space.treeIdOf(tree)
  layOutChat(tree, 'Bread')
  addItem(space.root, { title: 'Bread', treeId, folderId })
  const first = { role: 'user' as const, text: 'How?', createdAt: 1_000, author: 'Anna', authorId: 'a1' }
  addMessage(tree, first)
  addVersion(tree, threadOf(tree)[0]!, { ...first, text: 'How long?', createdAt: 2_000 })
  addMessage(tree, { ...first, role: 'assistant', text: 'An hour', createdAt: 3_000 })
  tree.getVertex(threadOf(tree)[1]!.id)!.setProperty('newerThanThis', { kept: [true] })
  const deleted = addItem(space.root, { title: 'Deleted' })
  space.root.moveVertex(deleted, '0')

  const zip = createSpaceZip('Notes', new Date(0))
  zip.add(fileTreeOf(space.root, space.id))
  zip.add(fileTreeOf(tree, treeId))
  const [read] = await readExport(zip.end(), 'notes.zip')
  expect(read).toMatchObject({ name: 'Notes', chats: 1 })
  const copy = await client.openSpace(await client.importSpace({ name: read!.name, trees: read!.trees }))

  const rows = forestRows(copy.root, () => true)
  expect(rows.map((row) => `${row.level} ${titleOf(copy.root.getVertex(row.id)!)}`)).toEqual([
    '1 Kitchen',
    '2 Bread',
  ])
  expect(rows[1]!.treeId).not.toBe(treeId)
  const copied = await copy.openTree(rows[1]!.treeId!)
  const thread = threadOf(copied)
  expect(thread.map(({ id }) => messageOf(copied.getVertex(id)!).text)).toEqual(['How long?', 'An hour'])
  expect(thread[0]!.versions).toHaveLength(2)
  expect(copied.getVertex(thread[1]!.id)!.getProperty('newerThanThis')).toEqual({ kept: [true] })
  // The id is one of another server's accounts.
  expect(messageOf(copied.getVertex(thread[1]!.id)!)).toMatchObject({ author: 'Anna', authorId: undefined })
  // Nothing of one is also in the other.
  expect(thread.some(({ id }) => tree.getVertex(id) !== undefined)).toBe(false)
})

test('what a deleted message said is in no file and no copy, and what follows it stays in its place', async () => {
  await using client = await local()
  const space = await client.createSpace({ name: 'Notes' })
  layOutSpace(space.root)
  const tree = await space.createTree()
  const treeId = space.treeIdOf(tree)
  layOutChat(tree, 'Bread')
  addItem(space.root, { title: 'Bread', treeId })
  const texts = ['How?', 'Secret one', 'How long?', 'Secret two']
  const by = { author: 'Anna', authorId: 'a1' }
  const ids = texts.map((text, at) => addMessage(tree, { role: 'user', text, createdAt: at, ...by }))
  const place = threadOf(tree)[2]!
  const version = addVersion(tree, place, { role: 'user', text: 'Secret version', createdAt: 9, ...by })
  showVersion(tree, { ...place, versions: [ids[2]!, version] }, ids[2]!)
  deleteMessage(tree, [ids[1]!], { at: 10, by: { id: 'a1', name: 'Anna' } })
  deleteMessage(tree, [ids[3]!], { at: 11, by: null })
  deleteMessage(tree, [version], { at: 12, by: null })

  const file = fileTreeOf(tree, treeId)
  expect(JSON.stringify(file)).not.toContain('Secret')
  // Only the one that another follows.
  expect(file.vertices.filter(({ properties }) => 'deleted' in properties)).toMatchObject([
    { properties: { role: 'user', createdAt: 1, deleted: { at: 10 } } },
  ])
  const zip = createSpaceZip('Notes', new Date(0))
  zip.add(fileTreeOf(space.root, space.id))
  zip.add(file)
  expect(await imported(new File([zip.end()], 'notes.zip'))).toEqual({
    Bread: ['user: How?', 'user: How long?'],
  })
  const copy = await space.openTree(await copyChat(space, treeId, space))
  expect(threadOf(copy).map(({ id }) => messageOf(copy.getVertex(id)!).text)).toEqual(['How?', 'How long?'])
})

test('a copy of a chat has all of it, beside it or in another space, and the two go their own ways', async () => {
  await using client = await local()
  const space = await client.createSpace({ name: 'Ours' })
  layOutSpace(space.root)
  const folderId = addItem(space.root, { title: 'Kitchen' })
  const tree = await space.createTree()
  const treeId = space.treeIdOf(tree)
  layOutChat(tree, 'Bread')
  addItem(space.root, { title: 'Bread', treeId, folderId })
  const message = { role: 'user' as const, text: 'How?', createdAt: 1_000, author: 'Anna', authorId: 'a1' }
  addMessage(tree, message)
  addVersion(tree, threadOf(tree)[0]!, { ...message, text: 'How long?', createdAt: 2_000 })
  const reply = addMessage(tree, { ...message, role: 'assistant', text: 'An', createdAt: 3_000 })
  tree.getVertex(reply)!.setProperty('inProgress', true)

  const own = await client.createSpace({ name: 'Mine' })
  layOutSpace(own.root)
  for (const [to, titles] of [
    [space, ['1 Kitchen', '2 Bread (copy)', '2 Bread']],
    [own, ['1 Bread']],
  ] as const) {
    const copy = await to.openTree(await copyChat(space, treeId, to))
    const shown = forestRows(to.root, () => true).map(
      (row) => `${row.level} ${titleOf(to.root.getVertex(row.id)!)}`,
    )
    expect(new Set(shown)).toEqual(new Set(titles))
    const thread = threadOf(copy)
    expect(thread.map(({ id }) => messageOf(copy.getVertex(id)!))).toMatchObject([
      { text: 'How long?', author: 'Anna', authorId: 'a1' },
      { text: 'An', inProgress: false },
    ])
    expect(thread[0]!.versions).toHaveLength(2)
    addMessage(copy, { ...message, text: 'Only here' })
    expect(threadOf(tree)).toHaveLength(2)
  }
})

test('what somebody wrote before the space synced is signed with the name that the space showed', () => {
  const root = {
    id: 's',
    parentId: null,
    properties: { authorBeforeSync: { id: 'u', name: 'Anna', until: 9 } },
  }
  const item = { id: 'i', parentId: 's', properties: { tid: 'c' } }
  const chat = {
    id: 'c',
    vertices: [
      { id: 'c', parentId: null, properties: {} },
      { id: 'm', parentId: 'c', properties: { role: 'user', text: 'Hello' } },
      { id: 'n', parentId: 'm', properties: { role: 'assistant', text: 'Hi' } },
    ],
  }
  const trees = [...newTrees({ id: 's', vertices: [root, item] }, () => [chat], 'space.json')]
  const authors = trees.map((tree: ImportedTree) =>
    tree.vertices.map(({ properties }) => properties['author']),
  )
  expect(authors).toEqual([
    [undefined, 'Anna', undefined],
    [undefined, undefined],
  ])
  expect(trees[1]!.vertices[0]!.properties).toEqual({})
})

const said = (role: string, text: string, more: object = {}) => ({
  id: text,
  author: { role, name: null, metadata: {} },
  create_time: 1_717_000_000.5,
  content: { content_type: 'text', parts: [text] },
  recipient: 'all',
  metadata: { model_slug: 'gpt-4o' },
  ...more,
})

const chatGpt = [
  {
    title: 'Sourdough',
    create_time: 1_717_000_000,
    update_time: 1_717_000_100,
    current_node: 'reply-2',
    mapping: {
      root: { id: 'root', message: null, parent: null, children: ['system'] },
      system: { id: 'system', message: said('system', ''), parent: 'root', children: ['context'] },
      context: {
        id: 'context',
        message: said('user', 'About me', {
          content: { content_type: 'user_editable_context', user_profile: 'me' },
          metadata: { is_visually_hidden_from_conversation: true },
        }),
        parent: 'system',
        children: ['ask', 'ask-again'],
      },
      ask: { id: 'ask', message: said('user', 'How?'), parent: 'context', children: [] },
      'ask-again': {
        id: 'ask-again',
        message: said('user', '', {
          content: {
            content_type: 'multimodal_text',
            parts: [{ content_type: 'image_asset_pointer', asset_pointer: 'file://x' }, 'How long?'],
          },
        }),
        parent: 'context',
        children: ['thoughts', 'reply-1'],
      },
      thoughts: {
        id: 'thoughts',
        message: said('assistant', '', {
          content: { content_type: 'thoughts', thoughts: [{ summary: 'Time', content: 'It rises slowly' }] },
        }),
        parent: 'ask-again',
        children: ['call'],
      },
      call: {
        id: 'call',
        message: said('assistant', 'search("dough")', { recipient: 'browser' }),
        parent: 'thoughts',
        children: ['result'],
      },
      result: { id: 'result', message: said('tool', 'Found it'), parent: 'call', children: ['reply-2'] },
      'reply-2': { id: 'reply-2', message: said('assistant', 'A day'), parent: 'result', children: [] },
      'reply-1': { id: 'reply-1', message: said('assistant', 'An hour'), parent: 'ask-again', children: [] },
    },
  },
  { title: 'Empty', mapping: { root: { id: 'root', message: null, parent: null, children: [] } } },
]

test('an export of ChatGPT becomes chats with versions, without what no person said', async () => {
  expect(await imported(json(chatGpt, 'conversations.json'))).toEqual({
    Sourdough: ['user (1 of 2): [Image]\n\nHow long?', 'assistant (1 of 2): A day'],
  })
  const zip = zipSync({
    'user.json': strToU8('{}'),
    'conversations-000.json': strToU8(JSON.stringify(chatGpt)),
    'conversations-001.json': strToU8(JSON.stringify([{ ...chatGpt[0], title: 'More' }])),
  })
  expect(Object.keys(await imported(new File([zip], 'chatgpt.zip'))).toSorted()).toEqual([
    'More',
    'Sourdough',
  ])
  const [space] = await readExport(json(chatGpt), 'conversations.json')
  const trees = Array.from(space!.trees)
  const reply = trees[0]!.vertices.find(({ properties: { text } }) => text === 'A day')!.properties
  expect(reply).toMatchObject({ model: 'gpt-4o', thinking: 'Time\n\nIt rises slowly' })
  expect(reply['createdAt']).toBe(1_717_000_000_500)
})

test('an export of Open WebUI becomes chats with versions and thoughts', async () => {
  const message = (id: string, parentId: string | null, role: string, content: string) => ({
    id,
    parentId,
    childrenIds: [],
    role,
    content,
    timestamp: 1_717_000_000,
    model: 'llama3.2:latest',
  })
  const messages = [
    message('q', null, 'user', 'How?'),
    message('a', 'q', 'assistant', 'An hour'),
    message(
      'b',
      'q',
      'assistant',
      '<details type="reasoning" done="true" duration="3">\n<summary>Thought for 3 seconds</summary>\n> It &lt;rises&gt;\n</details>\nA day',
    ),
  ]
  const history = { currentId: 'a', messages: Object.fromEntries(messages.map((it) => [it.id, it])) }
  const file = json([
    { id: 'x', title: 'Dough', chat: { title: 'Dough', models: [], history }, pinned: true },
  ])
  expect(await imported(file)).toEqual({ Dough: ['user: How?', 'assistant (1 of 2): An hour'] })
  const [space] = await readExport(file, 'x')
  const trees = Array.from(space!.trees)
  expect(trees[0]!.vertices.at(-1)!.properties).toMatchObject({ text: 'A day', thinking: 'It <rises>' })
  expect(trees[1]!.vertices.at(-1)!.properties).toMatchObject({ pinned: true, title: 'Dough' })
})

const op = (clock: number, treeId: string, targetId: string, rest: object) => ({
  clock,
  peerId: 'p',
  treeId,
  spaceId: 's',
  targetId,
  ...rest,
})
const database = {
  spaces: [{ id: 's', name: 'Old', uri: 'browser://s' }],
  treeOps: [
    op(1, 's', '0', { parentId: null }),
    op(2, 's', 's', { parentId: null }),
    op(3, 's', 'f', { parentId: 's' }),
    op(4, 's', 'f', { key: '_n', value: 'app-forest' }),
    op(5, 's', 'i', { parentId: 'f' }),
    op(6, 's', 'i', { key: 'tid', value: 'c' }),
    op(8, 's', 'i', { key: 'title', value: 'Tea' }),
    op(7, 's', 'i', { key: 'title', value: 'Written before' }),
    // Into itself: it does nothing.
    op(9, 's', 'f', { parentId: 'i' }),
    op(1, 'c', 'c', { parentId: null }),
    op(2, 'c', 'ms', { parentId: 'c' }),
    op(3, 'c', 'ms', { key: '_n', value: 'messages' }),
    op(4, 'c', 'm', { parentId: 'ms' }),
    op(5, 'c', 'm', { key: 'role', value: 'user' }),
    op(6, 'c', 'm', { key: 'text', value: 'Green or black?' }),
  ],
}

test.each([
  ['as its tables', database],
  [
    'as dexie-export-import writes it',
    {
      formatName: 'dexie',
      formatVersion: 1,
      data: {
        databaseName: 'localDb',
        data: [
          { tableName: 'spaces', inbound: true, rows: database.spaces },
          { tableName: 'treeOps', inbound: true, rows: database.treeOps },
        ],
      },
    },
  ],
])('a t69 database of June 2025 is imported, %s', async (_what, file) => {
  expect(await imported(json(file))).toEqual({ Tea: ['user: Green or black?'] })
})

const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`
const space = (
  chats: unknown[],
  own: unknown = { id: 's', vertices: [{ id: 's', parentId: null, properties: {} }] },
) => ({
  format: 't69-space',
  version: 1,
  name: 'x',
  space: own,
  chats,
})
const item = { id: 'i', parentId: 's', properties: { tid: 'c' } }
const chatWith = (a: unknown) => ({ id: 'c', vertices: [{ id: 'c', parentId: null, properties: { a } }] })
const withItem = { id: 's', vertices: [{ id: 's', parentId: null, properties: {} }, item] }

test.each([
  ['no JSON', new File(['hello'], 'a.txt'), { problem: 'unreadable', file: 'a.txt' }],
  ['half a file', new File(['[{"mapping":'], 'a.json'), { problem: 'unreadable' }],
  ['other JSON', json({ hello: 1 }), { problem: 'unknown' }],
  ['JSON that is nested too deeply', new File([deep], 'deep.json'), { problem: 'unknown' }],
  ['an empty list', json([]), { problem: 'empty' }],
  [
    'a zip of something else',
    new File([zipSync({ 'a.txt': strToU8('a') })], 'a.zip'),
    { problem: 'unknown' },
  ],
  [
    'half a zip',
    new File([zipSync({ 'space.json': strToU8(deep) }).slice(0, 200)], 'a.zip'),
    { problem: 'broken-zip' },
  ],
  [
    'a conversation that is none',
    json([{ mapping: {} }, { mapping: 3 }]),
    { problem: 'wrong-shape', at: '[1].mapping' },
  ],
  [
    'a value that is nested too deeply',
    new File([JSON.stringify(space([chatWith('deep')], withItem)).replace('"deep"', deep)], 'a.json'),
    { problem: 'wrong-shape', at: 'chats[0]' },
  ],
  ['a space without its tree', json(space([{}], 1)), { problem: 'wrong-shape', at: 'space' }],
  [
    'a chat without vertices',
    json(space([{ id: 'c' }], withItem)),
    { problem: 'wrong-shape', at: 'chats[0].vertices' },
  ],
  ['a newer format', json({ ...space([{}]), version: 2 }), { problem: 'too-new' }],
  [
    'a vertex before its parent',
    json(
      space(
        [
          {
            id: 'c',
            vertices: [
              { id: 'c', parentId: null, properties: {} },
              { id: 'm', parentId: 'n', properties: {} },
            ],
          },
        ],
        withItem,
      ),
    ),
    { problem: 'wrong-shape', at: 'c: m.parentId' },
  ],
  [
    'an operation that is none',
    json({ spaces: [], treeOps: [{ clock: 'x' }] }),
    { problem: 'wrong-shape', at: 'treeOps[0].clock' },
  ],
])('a file with %s is refused, with what is wrong and where', async (_what, file, error) => {
  await using client = await local()
  const importing = async () => {
    for (const { name, trees } of await readExport(file, file.name)) await client.importSpace({ name, trees })
  }
  await expect(importing()).rejects.toMatchObject(error)
  expect(await client.listSpaces()).toEqual([])
})

test('a zip bomb is refused before it is unpacked', async () => {
  const bomb = new File([zipSync({ 'space.json': new Uint8Array(8 * 1024 * 1024) })], 'bomb.zip')
  expect(bomb.size).toBeLessThan(100_000)
  await expect(unzipTexts(bomb, bomb.name, () => true, 100_000)).rejects.toMatchObject({
    problem: 'too-large',
    file: 'space.json',
  })
})

test('an export with 150,000 answers to one message is read, in time that grows with their number', async () => {
  const answer = { parentId: 'q', role: 'user', content: 'x' }
  const answers = Array.from({ length: 150_000 }, (_, nr) => [`a${nr}`, answer] as const)
  const question = { parentId: null, role: 'user', content: 'How?' }
  const messages = { q: question, ...Object.fromEntries(answers) }
  const file = json([{ chat: { title: 'Dough', history: { currentId: null, messages } } }])
  const [space] = await readExport(file, 'x')
  const [chat] = space!.trees
  const shown = chat!.vertices.filter(({ properties: { main } }) => main === true)
  expect(shown).toEqual([chat!.vertices.at(-1)])
})

test('a message that is longer than any may be is continued in the next one', async () => {
  const text = '😀'.repeat(200_000)
  expect(partsThatFit(text).join('')).toBe(text)
  const message = { id: 'a', parentId: null, role: 'user' as const, text, createdAt: 1_000 }
  const chat = {
    title: '',
    createdAt: 1_000,
    activeAt: 1_000,
    isPinned: false,
    messages: [message],
    shownId: 'a',
  }
  await using client = await local()
  const made = await client.openSpace(await client.importSpace({ name: 'Long', trees: treesOfChats([chat]) }))
  const tree = await made.openTree(forestRows(made.root, () => true)[0]!.treeId!)
  const texts = threadOf(tree).map(({ id }) => messageOf(tree.getVertex(id)!).text)
  expect(texts.length).toBeGreaterThan(1)
  expect(texts.join('')).toBe(text)
})

test('a chat is written as Markdown, with authors, times and how replies ended', async () => {
  await using client = await local()
  const tree = await (await client.createSpace({ name: 'Notes' })).createTree()
  layOutChat(tree, 'Bread')
  addMessage(tree, { role: 'user', text: 'How?', createdAt: Date.UTC(2026, 0, 2, 12) })
  const id = addMessage(tree, { role: 'assistant', text: '**An hour**', createdAt: Date.UTC(2026, 0, 2, 13) })
  tree.getVertex(id)!.setProperties({ outcome: 'stopped', thinking: 'It rises.' })
  const text = markdownOf(tree, {
    title: 'Bread\nand butter',
    chosen: new Set(),
    nameOf: (vertex) => (messageOf(vertex).role === 'user' ? 'Anna' : 'small'),
    locale: 'en-GB',
  })
  expect(text.replaceAll(/ · .*/g, '')).toBe(
    '# Bread and butter\n\n## Anna\n\nHow?\n\n## small\n\n<details><summary>Thoughts</summary>\n\nIt rises.\n\n</details>\n\n**An hour**\n\n*Stopped here.*\n',
  )
  expect(text).toContain('## Anna · 2 January 2026')
})

test('the Markdown of a chat has the version of a message that its reader has chosen', async () => {
  await using client = await local()
  const tree = await (await client.createSpace({ name: 'Notes' })).createTree()
  layOutChat(tree, 'Bread')
  const first = addMessage(tree, { role: 'user', text: 'How?', createdAt: 1_000 })
  addVersion(tree, threadOf(tree)[0]!, { role: 'user', text: 'How long?', createdAt: 2_000 })
  const shownTo = (chosen: Chosen): string =>
    markdownOf(tree, { title: 'Bread', chosen, nameOf: () => 'Anna', locale: 'en-GB' })
  expect(shownTo(new Set())).toMatch(/\n\nHow long\?\n$/)
  expect(shownTo(new Set([first]))).toMatch(/\n\nHow\?\n$/)
})

test.each([
  ['Bread / butter: 1', 'Bread butter 1.md'],
  ['../../etc/passwd', 'etc passwd.md'],
  ['', 't69.md'],
  ['\u202Egpj.exe', 'gpj.exe.md'],
])('%j is a file name on every system', (title, name) => {
  expect(fileNameOf(title, 'md')).toBe(name)
})

test('a title of endless dots is a file name at once', () => {
  expect(fileNameOf(`Bread${'.'.repeat(500_000)}x`, 'md')).toBe('Bread.md')
})
