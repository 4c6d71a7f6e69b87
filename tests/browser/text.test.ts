import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import { chunkOf, startFakeProvider } from '../lib/fake-provider.ts'
import { story } from '../lib/story.ts'
import {
  messages,
  newChat,
  newFolder,
  newSpace,
  openT69,
  ready,
  renameItem,
  say,
  setUpProvider,
  signIn,
  signUp,
  treeItem,
} from '../lib/t69-page.ts'

/** Text as people write it all over the world. */

/** Sends without waiting for the message to be shown as it was typed: line breaks and marks may differ. */
async function send(page: Page, text: string): Promise<void> {
  await page.getByTestId('new-chat').click()
  await expect.poll(() => messages(page)).toEqual([])
  await page.getByTestId('composer').fill(text)
  await page.getByTestId('composer').press('Enter')
}

async function replied(page: Page): Promise<string | undefined> {
  const reply = page.locator('[data-testid=message]:not([data-role=user]):not([data-streaming=true])')
  await reply.getByTestId('message-text').waitFor()
  return (await messages(page)).at(-1)
}

story('emoji are never cut in half: not in titles, replies, or what a provider says', async (stage) => {
  using provider = await startFakeProvider()
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  await setUpProvider(page, { name: 'Home', model: 'small', key: 'k', baseUrl: provider.baseUrl })
  await page.getByTestId('close-dialog').click()

  for (const [text, title] of [
    [`a${'😂'.repeat(40)}`, `a${'😂'.repeat(29)}…`],
    [`${'漢'.repeat(59)}😀${'字'.repeat(10)}`, `${'漢'.repeat(59)}…`],
  ] as const) {
    provider.answer = (response, asked) => {
      // The other request is for a name, and is refused: the title stays the start of the message.
      if (asked.messages.at(-1)?.content !== text) return void response.writeHead(400).end()
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.end(`${chunkOf({ content: 'an answer' })}data: [DONE]\n\n`)
    }
    laptop.expectErrors(/400/)
    const before = provider.requests.length
    await send(page, text)
    expect(await replied(page)).toBe('an answer')
    await expect.poll(() => provider.requests.length).toBeGreaterThan(before + 1)
    expect(await page.getByTestId('chat-title').inputValue()).toBe(title)
  }

  provider.answer = null
  // A character in two pieces arrives whole; half a character at the end of a reply takes nothing with it.
  await send(page, 'Go on')
  for (const piece of ['All of this is worth keeping \ud83d', '\ude02, and this \ud83d'])
    await provider.stream(piece)
  provider.finish()
  const kept = 'All of this is worth keeping 😂, and this \ufffd'
  expect(await replied(page)).toBe(kept)
  await page.reload()
  await ready(page)
  await expect.poll(() => messages(page)).toEqual(['Go on', kept])

  provider.refuse(500, `${'x'.repeat(299)}😂 and more`)
  await send(page, 'And now?')
  const refusal = `${new URL(provider.baseUrl).host} answered 500: ${'x'.repeat(299)}`
  expect(await replied(page)).toBe(refusal)
  await page.reload()
  await ready(page)
  await expect.poll(() => messages(page)).toEqual(['And now?', refusal])
  await expect.poll(() => page.getByTestId('notice').count()).toBe(0)
  laptop.expectErrors(/500/)
})

/**
 * Confirms a word of an input method with Enter, or gives it up with Escape, in the order of events of an engine.
 * Returns whether the page took the browser's own action for the key away.
 */
async function endWord(
  page: Page,
  testid: string,
  engine: 'Safari' | 'others',
  key: 'Enter' | 'Escape' = 'Enter',
): Promise<boolean> {
  return await page.getByTestId(testid).evaluate(
    (field: HTMLElement, { engine, key }) => {
      field.focus()
      const end = new CompositionEvent('compositionend', { bubbles: true, data: '本' })
      const isComposing = engine === 'others'
      field.dispatchEvent(new CompositionEvent('compositionstart', { bubbles: true }))
      if (!isComposing) field.dispatchEvent(end)
      const pressed = new KeyboardEvent('keydown', {
        key,
        keyCode: 229,
        bubbles: true,
        cancelable: true,
        isComposing,
      })
      const isLeft = field.dispatchEvent(pressed)
      if (isComposing) field.dispatchEvent(end)
      return !isLeft
    },
    { engine, key },
  )
}

for (const engine of ['Safari', 'others'] as const) {
  story(
    `the key that ends a word of an input method ends nothing else, as it is in ${engine}`,
    async (stage) => {
      const laptop = await stage.device("Anna's laptop")
      const { page } = laptop
      await openT69(page, laptop.url)
      await newChat(page, 'First')
      await say(page, 'はじめ')
      const isFocused = (testid: string) =>
        page.getByTestId(testid).evaluate((field) => field === document.activeElement)

      // Each field is still there with its text; a second Enter, after the word, does what it says.
      await page.getByTestId('composer').fill('日本')
      await endWord(page, 'composer', engine)
      expect(await page.getByTestId('composer').inputValue()).toBe('日本')
      await page.getByTestId('composer').press('Enter')
      await expect.poll(() => messages(page)).toEqual(['はじめ', '日本'])

      await page.getByTestId('message').first().hover()
      await page.getByTestId('edit-message').first().click()
      await page.getByTestId('edit-input').fill('はじめ2')
      await endWord(page, 'edit-input', engine)
      await endWord(page, 'edit-input', engine, 'Escape')
      expect(await page.getByTestId('edit-input').inputValue()).toBe('はじめ2')
      await page.getByTestId('edit-cancel').click()

      await page.getByTestId('chat-title').fill('にほん')
      for (const key of ['Enter', 'Escape'] as const) {
        await endWord(page, 'chat-title', engine, key)
        expect(await isFocused('chat-title')).toBe(true)
      }
      await page.getByTestId('chat-title').press('Enter')
      await treeItem(page, { title: 'にほん' }).waitFor()

      await treeItem(page, { title: 'にほん' }).dblclick()
      await page.getByTestId('tree-rename').fill('日本')
      for (const key of ['Enter', 'Escape'] as const) {
        await endWord(page, 'tree-rename', engine, key)
        expect(await isFocused('tree-rename')).toBe(true)
      }
      await page.getByTestId('tree-rename').press('Enter')
      await treeItem(page, { title: '日本' }).waitFor()

      // In a form the browser itself would act on the key.
      await page.getByTestId('space-switcher').click()
      await page.getByTestId('create-space').click()
      await page.getByTestId('name-input').fill('日本')
      expect(await endWord(page, 'name-input', engine)).toBe(true)
      expect(await isFocused('name-input')).toBe(true)
      await page.getByTestId('name-input').press('Enter')
      await expect.poll(() => page.getByTestId('space-name').innerText()).toBe('日本')
    },
  )
}

const shalom = 'שלום'

story(
  'what people write in Hebrew or Arabic runs from right to left, and the app’s own words do not',
  async (stage) => {
    const laptop = await stage.device("Anna's laptop")
    const { page } = laptop
    await openT69(page, laptop.url)
    const directionOf = (selector: string) =>
      page
        .locator(selector)
        .first()
        .evaluate((element) => getComputedStyle(element).direction)

    await newSpace(page, `${shalom} 1`)
    await newFolder(page, `${shalom} 2`)
    await newChat(page, `${shalom} 3`)
    await page.getByTestId('composer').fill(`${shalom}, Anna`)
    expect(await directionOf('[data-testid=composer]')).toBe('rtl')
    await say(page, `${shalom}, Anna`)
    for (const testid of ['message-text', 'chat-title', 'tree-title', 'space-name'])
      expect(await directionOf(`[data-testid=${testid}]`), testid).toBe('rtl')
    expect(await directionOf('[data-testid=message-author]')).toBe('ltr')

    await renameItem(page, treeItem(page, { title: `${shalom} 3` }), 'Garden')
    expect(await directionOf('[data-testid=chat-title]')).toBe('ltr')

    // A quoted name has its own direction, and leaves that of the sentence.
    await treeItem(page, { title: `${shalom} 2` }).hover()
    await treeItem(page, { title: `${shalom} 2` })
      .getByTestId('tree-menu')
      .click()
    await page.getByTestId('menu-delete').click()
    expect(await page.getByTestId('notice').locator('span').innerText()).toBe(`“${shalom} 2” was deleted.`)
    expect(await directionOf('[data-testid=notice] span')).toBe('ltr')
    expect(await directionOf('[data-testid=notice] bdi')).toBe('rtl')
    await stage.shot(laptop, 'words from right to left')

    await page.getByTestId('space-switcher').click()
    expect(await directionOf('[data-testid=space-item][data-current=true] bdi')).toBe('rtl')
    await page.getByTestId('rename-space').click()
    expect(await directionOf('[data-testid=name-input]')).toBe('rtl')
  },
)

story(
  'an account opens on another keyboard, which writes its address and password in other code points',
  async (stage) => {
    const laptop = await stage.device("Anna's laptop")
    await openT69(laptop.page, laptop.url)
    await signUp(laptop.page, {
      name: 'Anna',
      email: 'Anna@Bücher.example',
      password: 'cafe\u0301 \ufb01n １２３',
    })
    const phone = await stage.device("Anna's phone")
    await openT69(phone.page, phone.url)
    const account = { name: 'Anna', email: 'anna@xn--bcher-kva.example', password: 'caf\u00e9 fin 123' }
    await signIn(phone.page, account)
    expect(await phone.page.getByTestId('user-name').innerText()).toBe('Anna')
  },
)

type Files = readonly (readonly [name: string, content: string])[]

/**
 * Drops files on an element, as a hand does that drags them there, with the text that comes with them. Returns whether the page
 * took them.
 */
async function drop(page: Page, testId: string, files: Files, text?: string) {
  return await page.getByTestId(testId).evaluate(
    (element, dropped) => {
      const dataTransfer = new DataTransfer()
      for (const [name, content] of dropped.files) dataTransfer.items.add(new File([content], name))
      if (dropped.text !== undefined) dataTransfer.setData('text/plain', dropped.text)
      const send = (type: string) =>
        !element.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }))
      return [send('dragover'), send('drop')].every(Boolean)
    },
    { files, text },
  )
}

/** Pastes files into an element, with the text that comes with them. */
async function paste(page: Page, testId: string, files: Files, text: string): Promise<void> {
  await page.getByTestId(testId).evaluate(
    (element, pasted) => {
      const clipboardData = new DataTransfer()
      for (const [name, content] of pasted.files) clipboardData.items.add(new File([content], name))
      clipboardData.setData('text/plain', pasted.text)
      element.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }))
    },
    { files, text },
  )
}

story(
  'files of text that are dropped on the composer are text, and no file replaces the page',
  async (stage) => {
    const laptop = await stage.device("Anna's laptop")
    const { page } = laptop
    await openT69(page, laptop.url)
    await newChat(page, 'Notes')
    const composer = page.getByTestId('composer')
    await composer.fill('Look at this: ')
    expect(await drop(page, 'composer', [['log.txt', 'line 1\r\nline 2 😀']])).toBe(true)
    await expect.poll(() => composer.inputValue()).toBe('Look at this: line 1\nline 2 😀')
    await page.keyboard.press('Control+z')
    await expect.poll(() => composer.inputValue()).toBe('Look at this: ')

    // The signs of HTML are signs, and a file ends with its line.
    await composer.fill('<>')
    await composer.press('ArrowLeft')
    const signs = '<b>&lt;&amp;</b>\t \u00A0 <!--\n\n\n'
    expect(await drop(page, 'composer', [['page.html', signs]])).toBe(true)
    await expect.poll(() => composer.inputValue()).toBe(`<${signs}>`)
    await page.keyboard.type('!')
    expect(await composer.inputValue()).toBe(`<${signs}!>`)
    // The page would stand still for a minute, where each line is a command of its own.
    await composer.fill('')
    const lines = Array.from({ length: 4000 }, (_, line) => `line ${line} of a log`.padEnd(39)).join('\n')
    const before = performance.now()
    expect(await drop(page, 'composer', [['long.txt', lines]])).toBe(true)
    await expect.poll(() => composer.inputValue()).toBe(lines)
    expect(performance.now() - before).toBeLessThan(10_000)
    await composer.fill('Look at this: ')

    expect(await drop(page, 'composer', [['photo.png', '\u0089PNG\0\0']])).toBe(true)
    await expect.poll(() => page.getByTestId('notice').innerText()).toContain('“photo.png” is no text')
    expect(await drop(page, 'composer', [['book.txt', 'x'.repeat(2_000_000)]])).toBe(true)
    await expect.poll(() => page.getByTestId('notice').innerText()).toContain('“book.txt” is longer than')
    expect(await composer.inputValue()).toBe('Look at this: ')

    // macOS gives their names with files that are copied, spreadsheets a picture with a text, and some browsers its address
    // with a picture.
    await composer.fill('')
    await paste(
      page,
      'composer',
      [
        ['a.txt', 'A'],
        ['b.txt', 'B'],
      ],
      'a.txt\rb.txt',
    )
    await expect.poll(() => composer.inputValue()).toBe('A\nB')
    await composer.fill('')
    await paste(page, 'composer', [['image.png', '\u0089PNG\0\0']], 'A1\tB1\r\n')
    await expect.poll(() => composer.inputValue()).toBe('A1\tB1\n')
    await composer.fill('')
    const address = 'https://example.org/cat.png'
    expect(await drop(page, 'composer', [['cat.png', '\u0089PNG\0\0']], address)).toBe(true)
    await expect.poll(() => composer.inputValue()).toBe(address)

    // Beside it, the browser would open the file in place of the page.
    expect(await drop(page, 'sidebar', [['photo.png', 'x']])).toBe(true)
  },
)
