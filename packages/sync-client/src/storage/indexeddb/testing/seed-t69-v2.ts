/** A space that `seedT69V2` has stored, as t69's screen would have shown it. */
export interface SeededSpace {
  readonly id: string
  readonly name: string
  readonly chats: readonly SeededChat[]
  readonly operations: number
  readonly secrets: Readonly<Record<string, string>>
  readonly drafts: Readonly<Record<string, string>> | null
  readonly ttabsLayout: string | null
  readonly theme: string | null
}

export interface SeededChat {
  readonly treeId: string
  readonly title: string
  readonly messages: readonly { readonly role: 'user' | 'assistant'; readonly text: string }[]
}

/**
 * Creates the `localDb` that t69 of June 2025 (Dexie version 2, RepTree 0.2) left in a browser after a few days of use:
 * two spaces, three chats. Rejects if there is one already. The function refers to nothing outside itself, so that a
 * browser test can pass its source text to a page.
 */
export async function seedT69V2(factory: IDBFactory = indexedDB): Promise<readonly SeededSpace[]> {
  const start = Date.UTC(2025, 5, 24, 9, 0, 0)
  let made = 0

  /** Returns 32 hex digits. Every run makes the same ids. */
  const newId = (): string => {
    made += 1
    let state = made * 0x9e3779b1
    const word = () => {
      state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x297a2d39
      return (state >>> 0).toString(16).padStart(8, '0')
    }
    return word() + word() + word() + word()
  }

  /** A tree as RepTree 0.2 wrote it: the null vertex first, `_c` the time of creation, `_n` a name. */
  const newTree = (spaceId: string, treeId: string, peerId: string) => {
    const rows: Record<string, unknown>[] = []
    const add = (targetId: string, fields: Record<string, unknown>) => {
      rows.push({ clock: rows.length + 1, peerId, treeId, spaceId, targetId, ...fields })
    }
    const set = (targetId: string, key: string, value: unknown) => add(targetId, { key, value })
    const put = (id: string, parentId: string | null, properties: Record<string, unknown>): string => {
      add(id, { parentId })
      set(id, '_c', new Date(start + rows.length * 1000).toISOString())
      for (const [key, value] of Object.entries(properties)) set(id, key, value)
      return id
    }
    put('0', null, {})
    return { rows, set, put, remove: (id: string) => add(id, { parentId: '0' }) }
  }

  const allRows: Record<string, unknown>[] = []

  const makeSpace = (
    plan: Pick<SeededSpace, 'name' | 'secrets' | 'drafts' | 'ttabsLayout' | 'theme'>,
    chatPlans: readonly Pick<SeededChat, 'title' | 'messages'>[],
  ): SeededSpace => {
    const before = allRows.length
    const id = newId()
    const tree = newTree(id, id, newId())
    tree.put(id, null, { version: '0', onboarding: true, _n: plan.name })
    const configs = tree.put(newId(), id, { _n: 'app-configs' })
    tree.put(newId(), configs, {
      _n: 'default',
      id: 'default',
      name: 'Chat',
      button: 'New query',
      visible: true,
      description: 'A basic chat assistant',
      instructions: 'You are a helpful assistant.',
    })
    const forest = tree.put(newId(), id, { _n: 'app-forest' })
    const providers = tree.put(newId(), id, { _n: 'providers' })
    tree.put(newId(), id, { _n: 'settings' })
    tree.set(id, 'onboarding', false)
    tree.put(newId(), providers, { _n: 'openai', id: 'openai', type: 'cloud' })

    const chats = chatPlans.map(({ title, messages }): SeededChat => {
      const treeId = newId()
      const chat = newTree(id, treeId, newId())
      chat.put(treeId, null, { _n: 'app-tree', appId: 'default-chat', configId: 'default' })
      let parent = chat.put(newId(), treeId, { _n: 'messages' })
      chat.put(newId(), treeId, { _n: 'jobs' })
      for (const [index, { role, text }] of messages.entries()) {
        const createdAt = new Date(start + index * 60_000).toISOString()
        // Each message is a child of the one before it.
        parent = chat.put(newId(), parent, {
          _n: 'message',
          createdAt,
          text: role === 'user' ? text : '',
          role,
        })
        if (role === 'user') continue
        chat.set(parent, 'inProgress', true)
        chat.set(parent, 'text', text)
        chat.set(parent, 'inProgress', undefined)
      }
      chat.set(treeId, 'title', title)
      const reference = tree.put(newId(), forest, { tid: treeId })
      tree.set(reference, 'title', title)
      tree.set(reference, '_n', title)
      allRows.push(...chat.rows)
      return { treeId, title, messages }
    })

    const abandoned = tree.put(newId(), forest, { tid: newId() })
    tree.remove(abandoned)
    allRows.push(...tree.rows)
    return { id, chats, operations: allRows.length - before, ...plan }
  }

  const home = makeSpace(
    {
      name: 'Home',
      secrets: { 'api-key-openai': 'sk-not-a-real-key', 'api-key-anthropic': 'sk-ant-not-a-real-key' },
      drafts: { 'new-thread': 'What should I cook on', 'app-1': 'Half a thought' },
      ttabsLayout: '{"tiles":{"root":{"type":"grid"}},"focused":"root"}',
      theme: 'rocket',
    },
    [
      {
        title: 'Sourdough starter',
        messages: [
          { role: 'user', text: 'How do I keep a sourdough starter alive?' },
          {
            role: 'assistant',
            text: 'Feed it equal weights of flour and water.\n\n1. Discard half.\n2. Feed.',
          },
          { role: 'user', text: 'And in the fridge? ❄️' },
          { role: 'assistant', text: 'Once a week is enough there.' },
        ],
      },
      {
        title: 'Trip to Lisbon',
        messages: [
          { role: 'user', text: 'Three days in Lisbon, what not to miss?' },
          { role: 'assistant', text: 'Alfama, Belém and a tram ride; leave one evening for fado.' },
        ],
      },
    ],
  )
  const work = makeSpace({ name: 'Work', secrets: {}, drafts: null, ttabsLayout: null, theme: null }, [
    {
      title: 'SQL window functions',
      messages: [
        { role: 'user', text: 'Explain ROW_NUMBER() with an example.' },
        {
          role: 'assistant',
          text: '`ROW_NUMBER() OVER (PARTITION BY team ORDER BY score DESC)` ranks within a team.',
        },
        { role: 'user', text: 'Thanks!' },
      ],
    },
  ])
  const spaces = [home, work]

  // Dexie multiplies its versions by ten.
  const request = factory.open('localDb', 20)
  const db = await new Promise<IDBDatabase>((resolve, reject) => {
    request.addEventListener('error', () => reject(request.error ?? new Error('localDb does not open')))
    request.addEventListener('success', () => resolve(request.result))
    request.addEventListener('upgradeneeded', (event) => {
      if (event.oldVersion !== 0) {
        request.transaction?.abort()
        return
      }
      const create = (name: string, keyPath: string | string[], indexes: readonly (string | string[])[]) => {
        const store = request.result.createObjectStore(name, { keyPath })
        for (const index of indexes) {
          store.createIndex(Array.isArray(index) ? `[${index.join('+')}]` : index, index)
        }
      }
      create('spaces', 'id', ['uri', 'name', 'createdAt', 'userId'])
      create('config', 'key', [])
      create(
        'treeOps',
        ['clock', 'peerId', 'treeId', 'spaceId'],
        ['spaceId', 'treeId', ['spaceId', 'treeId'], ['spaceId', 'treeId', 'clock']],
      )
      create('secrets', ['spaceId', 'key'], ['spaceId'])
    })
  })
  if (db.version !== 20 || !db.objectStoreNames.contains('treeOps'))
    throw new Error('localDb is no version 2')
  const transaction = db.transaction(['spaces', 'config', 'treeOps', 'secrets'], 'readwrite')
  for (const [index, { id, name, secrets, drafts, ttabsLayout, theme }] of spaces.entries()) {
    const createdAt = new Date(start + index * 86_400_000)
    const uri = `browser://${id}`
    const setup = { id, uri, name, createdAt, userId: null, ttabsLayout, theme, drafts }
    transaction.objectStore('spaces').add(index === 0 ? { ...setup, colorScheme: 'dark' } : setup)
    for (const [key, value] of Object.entries(secrets)) {
      transaction.objectStore('secrets').add({ spaceId: id, key, value })
    }
  }
  transaction.objectStore('config').add({ key: 'currentSpaceId', value: home.id })
  for (const row of allRows) transaction.objectStore('treeOps').add(row)
  await new Promise<void>((resolve, reject) => {
    transaction.addEventListener('complete', () => resolve())
    transaction.addEventListener('abort', () =>
      reject(transaction.error ?? new Error('the seed was not stored')),
    )
  })
  db.close()
  return spaces
}
