import type { ServerResponse } from 'node:http'

import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import { chunkOf, startFakeProvider, type Asked, type FakeProvider } from '../lib/fake-provider.ts'
import { story, type Stage } from '../lib/story.ts'
import {
  accountOf,
  invite,
  message,
  messages,
  newChat,
  newFolder,
  newSpace,
  openSpace,
  openT69,
  ready,
  reload,
  say,
  setUpProvider,
  showSidebar,
  signIn,
  spaceOf,
  synced,
  treeItem,
} from '../lib/t69-page.ts'
import { acceptInvite, openOwnSpace } from '../lib/two-people.ts'

const anna = accountOf('Anna')
const home = { name: 'Home', model: 'small', key: 'key-of-anna' }

function sse(...parts: readonly string[]) {
  return (response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const part of parts) response.write(part)
    response.end()
  }
}
const json = (body: unknown) => (response: ServerResponse) => {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`
const done = 'data: [DONE]\n\n'

/** What an endpoint does, what becomes of the reply, and what the chat shows of it. */
const shapes: readonly [string, (response: ServerResponse) => void, string, RegExp][] = [
  [
    'an error in a stream',
    sse(data({ error: { message: 'You exceeded your quota' } }), done),
    'refused',
    /your quota/,
  ],
  [
    'an event of errors',
    sse(`event: error\n${data({ error: { message: 'Overloaded' } })}`),
    'refused',
    /Overloaded/,
  ],
  ['an error in JSON', json({ error: { message: 'The model is not loaded' } }), 'refused', /not loaded/],
  [
    'an answer that does not stream',
    json({ choices: [{ message: { content: 'All at once' } }] }),
    'done',
    /^All at once$/,
  ],
  [
    'a page to sign in at',
    (response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>Sign in</title>'),
    'refused',
    /Sign in/,
  ],
  ['an empty stream', sse(done), 'refused', /was empty/],
  ['nothing at all', sse(), 'refused', /was empty/],
  [
    'a refusal of the model',
    sse(chunkOf({ refusal: 'I cannot help with that' }), done),
    'refused',
    /cannot help/,
  ],
  [
    'thoughts up to the limit',
    sse(chunkOf({ reasoning_content: 'hm' }), chunkOf({}, { finish_reason: 'length' }), done),
    'cut',
    /limit of its length/,
  ],
  ['a filter', sse(chunkOf({}, { finish_reason: 'content_filter' }), done), 'cut', /filter/],
  [
    'CR line ends',
    sse(chunkOf({ content: 'With CR' }).replaceAll('\n', '\r'), done.replaceAll('\n', '\r')),
    'done',
    /^With CR$/,
  ],
  [
    'data of two lines',
    sse('data: {"choices":[{"delta":\ndata: {"content":"Two lines"}}]}\n\n', done),
    'done',
    /^Two lines$/,
  ],
  ['no end', sse(chunkOf({ content: 'No end' })), 'done', /^No end$/],
  ['half a line at the end', sse(chunkOf({ content: 'Half' }).trimEnd()), 'done', /^Half$/],
  [
    'half a character at the end',
    (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(chunkOf({ content: 'Half a character' }))
      response.end(Buffer.from('data: 👋').subarray(0, -2))
    },
    'done',
    /^Half a character$/,
  ],
  [
    'thoughts in tags',
    sse(chunkOf({ content: '<thi' }), chunkOf({ content: 'nk>Hm.</think>\n\nAn answer' }), done),
    'done',
    /^An answer$/,
  ],
  [
    'too many requests',
    (response) =>
      response
        .writeHead(429, { 'content-type': 'application/json', 'retry-after': '60' })
        .end('{"error":{"message":"Slow down please"}}'),
    'refused',
    /no more requests until .*Slow down please/s,
  ],
  [
    'a proxy’s error',
    (response) => response.writeHead(502).end('<html><title>Bad Gateway</title>'),
    'refused',
    /error 502/,
  ],
  ['no answer', (response) => response.destroy(), 'lost', /no way to 127\.0\.0\.1/],
]

const lastReply = (page: Page) => page.getByTestId('message').last()

/** Waits until the last message is a reply that has ended, and returns what became of it. */
async function outcome(page: Page): Promise<string | null> {
  await expect.poll(() => lastReply(page).getAttribute('data-outcome')).not.toBeNull()
  return await lastReply(page).getAttribute('data-outcome')
}

async function openChat(stage: Stage, provider: FakeProvider) {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  await setUpProvider(page, { ...home, baseUrl: provider.baseUrl })
  await page.getByTestId('close-dialog').click()
  return laptop
}

story('whatever an endpoint answers, the chat says what became of the reply', async (stage) => {
  using provider = await startFakeProvider()
  const laptop = await openChat(stage, provider)
  const { page } = laptop
  laptop.expectErrors(/429|502|net::/)
  for (const [index, [what, respond, became, words]] of shapes.entries()) {
    provider.answer = respond
    await newChat(page, what)
    await say(page, `Question ${index}`)
    const reply = page.locator('[data-testid=message][data-role=assistant][data-outcome]')
    await reply.waitFor()
    expect(await reply.getAttribute('data-outcome'), what).toBe(became)
    expect((await messages(page)).at(-1), what).toMatch(words)
    if (became !== 'done') await stage.shot(laptop, what)
    // What became of it is no part of what the model said.
    provider.answer = sse(chunkOf({ content: 'Next' }), done)
    await say(page, 'And now?')
    await expect.poll(() => messages(page)).toContain('Next')
    const told = provider.requests.at(-1)?.messages.map(({ role, content }) => `${role}: ${content}`)
    expect(told?.at(-1), what).toMatch(/And now\?$/)
    expect(told?.join('\n'), what).not.toMatch(/quota|Overloaded|empty|filter|limit|Slow|no way/i)
    for (const [place, turn] of told?.entries() ?? [])
      expect(turn.startsWith(place % 2 === 0 ? 'user: ' : 'assistant: '), `${what}: ${turn}`).toBe(true)
  }
})

story(
  'a reply that went wrong can be asked for again, continued, or asked of another model',
  async (stage) => {
    using provider = await startFakeProvider()
    const laptop = await openChat(stage, provider)
    const { page } = laptop
    laptop.expectErrors(/500|net::/)
    await newChat(page, 'Ask')
    provider.refuse(500, '{"error":{"message":"Broken"}}')
    await say(page, 'What is a tree?')
    expect(await outcome(page)).toBe('refused')

    provider.answer = null
    await page.getByTestId('reply-again').click()
    await provider.stream('A tree is')
    await message(page, 'A tree is').waitFor()
    provider.breakOff()
    expect(await outcome(page)).toBe('cut')
    await expect.poll(() => page.getByTestId('branch-label').innerText()).toBe('2 / 2')
    await stage.shot(laptop, 'a reply that was cut')

    await page.getByTestId('reply-go-on').click()
    await provider.stream(' a plant.')
    provider.finish()
    await page.locator('[data-testid=message][data-outcome=done]').waitFor()
    expect(
      provider.requests.at(-1)?.messages.map(({ role, content }) => [role, content.slice(0, 15)]),
    ).toEqual([
      ['user', 'What is a tree?'],
      ['assistant', 'A tree is'],
      ['user', 'Go on exactly w'],
    ])

    // Another model writes another version, and answers from now on.
    await page.getByTestId('outcome').getByTestId('reply-other-model').first().click()
    await page.getByTestId('model-search').fill('lar')
    await page.locator('[data-testid=model-choice][data-model=large]').click()
    await provider.stream('Large words')
    provider.finish()
    await expect.poll(() => provider.requests.at(-1)?.model).toBe('large')
    await expect.poll(() => messages(page)).toEqual(['What is a tree?', 'Large words'])
    await expect.poll(() => page.getByTestId('model-picker').innerText()).toContain('large')
    await reload(page)
    await ready(page)
    await expect.poll(() => messages(page)).toEqual(['What is a tree?', 'Large words'])
    await expect.poll(() => page.getByTestId('model-picker').innerText()).toContain('large')
  },
)

story(
  'each reader pages through the versions of a reply, a viewer too, and moves nobody else',
  async (stage) => {
    using provider = await startFakeProvider()
    provider.answer = (response) =>
      sse(chunkOf({ content: `Version ${provider.requests.length}` }), done)(response)
    const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
    const { page } = laptop
    await setUpProvider(page, { ...home, baseUrl: provider.baseUrl })
    await page.getByTestId('close-dialog').click()
    await newChat(page, 'Ask')
    await say(page, 'Which?')
    await expect.poll(() => messages(page)).toEqual(['Which?', 'Version 1'])
    await page.getByTestId('message').last().hover()
    await page.getByTestId('regenerate').click()
    await expect.poll(() => messages(page)).toEqual(['Which?', 'Version 2'])
    await synced(page)

    const viewer = await acceptInvite(stage, "Ben's laptop", accountOf('Ben'), await invite(page, 'viewer'))
    await treeItem(viewer.page, { title: 'Ask' }).click()
    await expect.poll(() => messages(viewer.page)).toEqual(['Which?', 'Version 2'])
    await viewer.page.getByTestId('branch-previous').click()
    await expect.poll(() => messages(viewer.page)).toEqual(['Which?', 'Version 1'])
    expect(await viewer.page.getByTestId('regenerate').count()).toBe(0)
    await stage.shot(viewer, 'the first version')

    // A new version is shown to those who have chosen none.
    await page.getByTestId('message').last().hover()
    await page.getByTestId('regenerate').click()
    await expect.poll(() => messages(page)).toEqual(['Which?', 'Version 3'])
    await expect.poll(() => viewer.page.getByTestId('branch-label').innerText()).toBe('1 / 3')
    expect(await messages(viewer.page)).toEqual(['Which?', 'Version 1'])
    await reload(viewer.page)
    await ready(viewer.page)
    await expect.poll(() => messages(viewer.page)).toEqual(['Which?', 'Version 1'])

    // What Anna writes below a version of her own choice is seen by everyone who has chosen no other.
    await page.getByTestId('branch-previous').click()
    await page.getByTestId('branch-previous').click()
    await say(page, 'Go on')
    await expect.poll(() => messages(viewer.page)).toEqual(['Which?', 'Version 1', 'Go on', 'Version 4'])
  },
)

story('what is sent while a reply streams is answered after it, or at once', async (stage) => {
  using provider = await startFakeProvider()
  const laptop = await openChat(stage, provider)
  const { page } = laptop
  await newChat(page, 'Ask')
  await say(page, 'One?')
  await provider.stream('First')
  await message(page, 'First').waitFor()
  await say(page, 'Two?')
  await say(page, 'Three?')
  await page.getByTestId('answer-waits').waitFor()
  await stage.shot(laptop, 'a message waits')
  await provider.stream(' answer')
  provider.finish()
  await provider.stream('Both')
  await message(page, 'Both').waitFor()
  // Both questions have one answer.
  expect(provider.requests.length).toBe(2)
  expect(provider.requests[1]?.messages).toEqual([
    { role: 'user', content: 'One?' },
    { role: 'assistant', content: 'First answer' },
    { role: 'user', content: 'Two?\n\nThree?' },
  ])

  // An edit does not wait, when its writer does not want to.
  await page.getByTestId('message').first().hover()
  await page.getByTestId('message').first().getByTestId('edit-message').click()
  await page.getByTestId('edit-input').fill('Zero?')
  await page.getByTestId('edit-save').click()
  await page.getByTestId('answer-now').click()
  await expect.poll(() => provider.requests.length).toBe(3)
  expect(provider.requests[2]?.messages).toEqual([{ role: 'user', content: 'Zero?' }])
  await provider.stream('Nothing')
  provider.finish()
  await expect.poll(() => messages(page)).toEqual(['Zero?', 'Nothing'])
  await page.getByTestId('branch-previous').click()
  await expect.poll(() => messages(page)).toEqual(['One?', 'First answer', 'Two?', 'Three?', 'Both'])
  expect(await page.locator('[data-testid=outcome][data-outcome=stopped]').innerText()).toContain(
    'Stopped here.',
  )
})

story('a reply keeps what it has said when another space comes to the screen', async (stage) => {
  using provider = await startFakeProvider()
  const laptop = await openChat(stage, provider)
  const { page } = laptop
  await newChat(page, 'Ask')
  const first = await spaceOf(page)
  await say(page, 'What is a tree?')
  await provider.stream('A tree is')
  await message(page, 'A tree is').waitFor()
  await say(page, 'And a bush?')
  await newSpace(page, 'Club')
  await openSpace(page, first)
  await expect.poll(() => messages(page)).toEqual(['What is a tree?', 'A tree is', 'And a bush?'])
  await page.locator('[data-testid=message][data-outcome=stopped]').waitFor()
  await stage.shot(laptop, 'back in its space')
  // Nothing is asked behind somebody's back.
  expect(provider.requests).toHaveLength(1)
  await page.getByTestId('get-answer').click()
  await expect.poll(() => provider.requests.length).toBe(2)
  await provider.stream('A bush is small.')
  provider.finish()
  await message(page, 'A bush is small.').waitFor()
})

story('a reply is stopped from another device of the same account, and by nobody else', async (stage) => {
  using provider = await startFakeProvider()
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  await setUpProvider(laptop.page, { ...home, baseUrl: provider.baseUrl })
  await laptop.page.getByTestId('close-dialog').click()
  await newChat(laptop.page, 'Ask')
  const ben = await acceptInvite(stage, "Ben's laptop", accountOf('Ben'), await invite(laptop.page, 'editor'))
  const phone = await stage.device("Anna's phone", { viewport: { width: 390, height: 844 }, hasTouch: true })
  await openT69(phone.page, phone.url)
  await signIn(phone.page, anna)
  await openSpace(phone.page, await spaceOf(laptop.page))
  for (const { page } of [ben, phone]) {
    await showSidebar(page)
    await treeItem(page, { title: 'Ask' }).click()
  }

  await say(laptop.page, 'What is a tree?')
  await provider.stream('A tree ')
  for (const { page } of [ben, phone])
    await expect.poll(() => messages(page)).toEqual(['What is a tree?', 'A tree'])
  const stop = phone.page.getByTestId('stop-elsewhere')
  await stop.waitFor()
  await stage.shot(phone, 'a reply that another device writes')
  expect(await ben.page.getByTestId('stop-elsewhere').count()).toBe(0)
  expect(await laptop.page.getByTestId('stop-elsewhere').count()).toBe(0)
  await stop.click()
  for (const { page } of [laptop, ben, phone])
    await page.locator('[data-testid=message][data-outcome=stopped]').waitFor()
  await laptop.page.getByTestId('stop-reply').waitFor({ state: 'detached' })
  expect(await messages(phone.page)).toEqual(['What is a tree?', 'A tree'])
})

story('when the device that was asked dies, the others see it, and exactly one takes over', async (stage) => {
  using provider = await startFakeProvider()
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  await setUpProvider(laptop.page, { ...home, baseUrl: provider.baseUrl })
  await laptop.page.getByTestId('close-dialog').click()
  await newChat(laptop.page, 'Ask')
  const link = await invite(laptop.page, 'editor')
  const ben = await acceptInvite(stage, "Ben's laptop", accountOf('Ben'), link)
  const cleo = await acceptInvite(stage, "Cleo's laptop", accountOf('Cleo'), link)
  const others = [ben.page, cleo.page]
  for (const page of others) {
    await treeItem(page, { title: 'Ask' }).click()
    // Each enters a key of their own.
    await page.getByTestId('key-input').fill('key')
    await page.getByTestId('key-save').click()
    await page.getByTestId('key-request').waitFor({ state: 'detached' })
  }

  await say(laptop.page, 'What is a tree?')
  await provider.stream('A tree ')
  for (const page of others) await expect.poll(() => messages(page)).toEqual(['What is a tree?', 'A tree'])
  await laptop.killTab()
  await ready(laptop.page)
  for (const page of others) await page.locator('[data-testid=outcome][data-outcome=lost]').waitFor()
  await stage.shot(ben, 'the device is gone')

  const takeOver = others.map((page) => page.getByTestId('reply-take-over'))
  for (const button of takeOver) await button.click({ trial: true })
  // Not by hand: whichever hand came too late would wait for a button that is gone.
  await Promise.all(takeOver.map((button) => button.evaluate((it: HTMLElement) => it.click())))
  await expect.poll(() => provider.requests.length).toBe(2)
  await provider.stream('A tree has roots.')
  provider.finish()
  for (const page of others) {
    await expect.poll(() => messages(page)).toEqual(['What is a tree?', 'A tree has roots.'])
    await page.locator('[data-testid=message][data-outcome=done]').hover()
    // It is offered once this device writes nothing, and is about to write nothing.
    await page.getByTestId('regenerate').waitFor()
  }
  expect(provider.requests.length).toBe(2)
  await expect.poll(() => messages(laptop.page)).toEqual(['What is a tree?', 'A tree has roots.'])
})

story(
  'the model names a chat after its first reply, but never over a title that somebody chose',
  async (stage) => {
    using provider = await startFakeProvider()
    const long = 'How do I bake bread at home without a machine, and which flour is the best for that?'
    const isNaming = ({ messages: [first] }: Asked): boolean => first?.role === 'system'
    let names = 0
    const held = Promise.withResolvers<void>()
    provider.answer = (response, asked) => {
      const answer = isNaming(asked) ? '"Bread at home."' : 'With flour, water and time.'
      const isSecondName = isNaming(asked) && ++names === 2
      const send = (): void => sse(chunkOf({ content: answer }), done)(response)
      if (isSecondName) void held.promise.then(send)
      else send()
    }
    const laptop = await openChat(stage, provider)
    const { page } = laptop
    await newFolder(page, 'Drawer')
    await say(page, long)
    await treeItem(page, { title: 'Bread at home' }).waitFor()
    await expect.poll(() => page.getByTestId('chat-title').inputValue()).toBe('Bread at home')
    // An undo takes back what the user did last, which is not this.
    await page.getByTestId('tree').focus()
    await page.keyboard.press('Control+z')
    await treeItem(page, { title: 'Drawer' }).waitFor({ state: 'detached' })
    await treeItem(page, { title: 'Bread at home' }).waitFor()

    // A short message is a title.
    await page.getByTestId('new-chat').click()
    await say(page, 'And rye?')
    await page.locator('[data-testid=message][data-outcome=done]').waitFor()
    expect(names).toBe(1)

    // While the model thinks about a name, somebody chooses one.
    await page.getByTestId('new-chat').click()
    await say(page, `${long} And spelt?`)
    await expect.poll(() => names).toBe(2)
    await page.getByTestId('chat-title').fill('Mine')
    await page.getByTestId('chat-title').press('Enter')
    await treeItem(page, { title: 'Mine' }).waitFor()
    held.resolve()
    await say(page, 'And corn?')
    await expect.poll(() => page.locator('[data-testid=message][data-outcome=done]').count()).toBe(2)
    await treeItem(page, { title: 'Mine' }).waitFor()
    expect(names).toBe(2)
  },
)

story(
  'a page that closes in the middle of a reply leaves what it had, and no question is stranded',
  async (stage) => {
    using provider = await startFakeProvider()
    const laptop = await openChat(stage, provider)
    const { page } = laptop
    laptop.expectErrors(/net::/)
    await newChat(page, 'Ask')
    await say(page, 'What is a tree?')
    await provider.stream('A tree is')
    await message(page, 'A tree is').waitFor()
    await page.reload()
    await ready(page)
    await page.locator('[data-testid=outcome][data-outcome=cut][data-why=device]').waitFor()
    expect(await messages(page)).toEqual(['What is a tree?', 'A tree is'])
    await stage.shot(laptop, 'a reply that was left')
    await page.getByTestId('reply-go-on').click()
    await expect.poll(() => provider.requests.length).toBe(2)
    provider.breakOff()

    // A question that nobody was there to answer can be asked once somebody is.
    await page.getByTestId('settings').click()
    await page.getByTestId('provider-remove').click()
    await page.getByTestId('provider').getByTestId('confirm').click()
    await page.getByTestId('provider').waitFor({ state: 'detached' })
    await page.getByTestId('close-dialog').click()
    await newChat(page, 'Later')
    await say(page, 'Is anybody there?')
    expect(await page.getByTestId('get-answer').count()).toBe(0)
    await setUpProvider(page, { ...home, baseUrl: provider.baseUrl })
    await page.getByTestId('close-dialog').click()
    await stage.shot(laptop, 'a question without an answer')
    await page.getByTestId('get-answer').click()
    await expect.poll(() => provider.requests.length).toBe(3)
    await provider.stream('I am')
    provider.finish()
    await expect.poll(() => messages(page)).toEqual(['Is anybody there?', 'I am'])
    expect(await page.getByTestId('get-answer').count()).toBe(0)
  },
)
