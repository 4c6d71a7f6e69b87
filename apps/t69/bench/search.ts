import type { FoundMessage } from '../src/lib/search/chat-texts.ts'
import { createTextIndex } from '../src/lib/search/text-index.ts'
import type { TreeTexts } from '../src/lib/search/text-store.ts'

/**
 * How long the search takes over 100,000 kept messages of some 240 characters, in ms: the first query, which sorts them, and
 * later ones. Prints the size of the heap as well:
 *
 *     node --conditions=source --expose-gc apps/t69/bench/search.ts [messages]
 */

const count = Number(process.argv[2] ?? 100_000)
const messagesAChat = 40
/** The numbers of a generator that begins anew each time (Park and Miller's), below `end`. */
let state = 1
function below(end: number): number {
  state = (state * 48_271) % 2_147_483_647
  return state % end
}
const words = Array.from({ length: 20_000 }, () =>
  Array.from({ length: 3 + below(7) }, () => 'etaoinshrdlcumwfgypb'[below(20)]).join(''),
)
/** Common words are common. */
const word = (): string => words[Math.floor(words.length * (below(1_000_000) / 1_000_000) ** 3)] ?? ''

const trees: TreeTexts[] = []
for (let made = 0; made < count; made += messagesAChat) {
  const messages: FoundMessage[] = Array.from({ length: messagesAChat }, (_, index) => ({
    id: `m${index}`,
    at: 1_700_000_000_000 + (made + index) * 60_000,
    text: Array.from({ length: 10 + below(60) }, word).join(' '),
  }))
  trees.push({ spaceId: 's', treeId: `t${made}`, state: '1', messages, chats: [] })
}
const chats = trees.map(({ treeId }) => ({ treeId, title: `${word()} ${word()}`, at: 0 }))
trees.push({ spaceId: 's', treeId: 's', state: '1', messages: [], chats })

const index = await createTextIndex({
  operations: {
    getTreeStates: () => Promise.resolve(new Map()),
    getTreeOps: () => Promise.resolve([]),
  },
  store: {
    loadAll: () => Promise.resolve(trees),
    save: () => Promise.resolve(),
    remove: () => Promise.resolve(),
    noteReading: () => Promise.resolve(),
    loadTries: () => Promise.resolve([]),
  },
  pause: () => new Promise((resolve) => setTimeout(resolve)),
  tell: () => {},
})
const rare = words.at(-1) ?? ''
const queries = [
  'warm-up',
  words[0],
  words[700],
  rare,
  rare.slice(0, -2) + rare.slice(-1) + rare.at(-2),
  `${words[300]} ${words[800]}`,
  'xqxqxq',
]
for (const query of queries) {
  const startedAt = performance.now()
  const results = await index.find(query ?? '', () => false)
  const ms = performance.now() - startedAt
  console.log(
    `${query}: ${ms.toFixed(0)} ms, ${results?.messages.length} messages, ${results?.chats.length} chats`,
  )
}
globalThis.gc?.()
console.log(`heap: ${(process.memoryUsage().heapUsed / 1e6).toFixed(0)} MB`)
