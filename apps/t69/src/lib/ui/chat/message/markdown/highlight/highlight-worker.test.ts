import { expect, it, vi } from 'vitest'

import type { HighlightAnswer, HighlightRequest } from './highlight-messages.ts'

/** The thread's code in this one: what it is sent, and what it answers. */
async function startWorker() {
  const answers: HighlightAnswer[] = []
  let ask: (event: { readonly data: HighlightRequest }) => void = () => {}
  vi.stubGlobal('addEventListener', (_: string, listener: typeof ask) => void (ask = listener))
  vi.stubGlobal('postMessage', (answer: HighlightAnswer) => void answers.push(answer))
  await import('./highlight-worker.ts')
  return { answers, ask: (data: HighlightRequest) => ask({ data }) }
}

it('colours what follows a line that took a second', async () => {
  const worker = await startWorker()
  let now = Date.now()
  vi.spyOn(Date, 'now').mockImplementation(() => (now += 1_000))
  const code = '/** Adds. */\nexport const sum = 1\n'
  worker.ask({ card: 1, grammar: 'typescript', code, isGrowing: false })
  await vi.waitFor(() => expect(worker.answers).toHaveLength(2), { timeout: 20_000 })
  const kinds = worker.answers.flatMap((it) => (it.kind === 'lines' ? it.lines : []))
  expect(kinds[0]).toEqual([['/** Adds. */', 'comment']])
  expect(kinds[1]).toContainEqual(['export', 'keyword'])
})
