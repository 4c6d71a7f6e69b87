import { once } from 'node:events'
import { createServer } from 'node:http'

import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import type { Device } from '../lib/device.ts'
import { startFakeProvider, type FakeProvider } from '../lib/fake-provider.ts'
import { story, type Stage } from '../lib/story.ts'
import { messages, newChat, openT69, say, setUpProvider, treeItem } from '../lib/t69-page.ts'

/** How replies look: as they stream, and once they are there. */

const fence = '```'

async function openToAsk(stage: Stage, provider: FakeProvider, ...context: Parameters<Stage['device']>) {
  const device = await stage.device(...context)
  await openT69(device.page, device.url)
  await setUpProvider(device.page, { name: 'Home', model: 'small', key: 'k', baseUrl: provider.baseUrl })
  await device.page.getByTestId('close-dialog').click()
  return device
}

const reply = (page: Page) => page.locator('[data-testid=message][data-role=assistant]').last()
const replied = (page: Page) =>
  page.locator('[data-testid=message][data-role=assistant]:not([data-streaming=true])').last().waitFor()

async function shotsOf(stage: Stage, device: Device, moment: string): Promise<void> {
  const { page } = device
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    for (const width of [1440, 390]) {
      await page.setViewportSize({ width, height: 900 })
      await stage.shot(device, `${moment} ${colorScheme} ${width}`)
    }
  }
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize({ width: 1200, height: 800 })
}

const everything = `## The area under a curve

Some **bold**, *slanted*, ~~struck~~ text and \`inline code\`, with [a link](https://example.org/) and https://example.com/a_b_c.

1. The first step
2. The second one
   - with a detail
   - and another one

- [x] done
- [ ] to do

> Quoted words
> in two lines

${fence}ts
/** Adds numbers. */
export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) // a long line that goes on and on beyond the edge
}
${fence}

| Name | Price | Amount | A long heading | And another one |
| --- | ---: | :-: | --- | --- |
| Tea | $5 | 2 | Something to say about it | more |
| Coffee | $10 | 1 | Nothing | less |

Inline $x^2$ and \\(\\alpha\\), and

$$
\\int_0^1 x\\,dx = \\frac{1}{2}
$$

<img src=x onerror="window.hacked=1"><script>window.hacked=2</script> [bad](javascript:window.hacked=3)

---

The end.`

story('a reply is shown as what its Markdown says, and nothing in it runs or loads', async (stage) => {
  using provider = await startFakeProvider()
  const laptop = await openToAsk(stage, provider, "Anna's laptop")
  const { page } = laptop
  await say(page, 'Show me **everything**')
  for (let at = 0; at < everything.length; at += 50) await provider.stream(everything.slice(at, at + 50))
  provider.finish()
  await replied(page)
  const text = reply(page).getByTestId('message-text')

  expect(await text.locator('h4').innerText()).toBe('The area under a curve')
  expect(await text.locator('strong').innerText()).toBe('bold')
  expect(await text.locator('ol > li').count()).toBe(2)
  expect(await text.locator('ol ul li').count()).toBe(2)
  expect(await text.locator('input[type=checkbox]:checked').count()).toBe(1)
  expect(await text.locator('blockquote').innerText()).toBe('Quoted words\nin two lines')
  expect(await text.locator('tbody td').count()).toBe(10)
  const links = await text
    .locator('a')
    .evaluateAll((all: HTMLAnchorElement[]) => all.map(({ href, target, rel }) => ({ href, target, rel })))
  const outside = { target: '_blank', rel: 'noopener noreferrer nofollow' }
  expect(links).toEqual([
    { href: 'https://example.org/', ...outside },
    { href: 'https://example.com/a_b_c', ...outside },
  ])
  await expect.poll(() => text.locator('.katex').count()).toBe(3)
  await expect.poll(() => text.locator('pre .keyword').count()).toBeGreaterThan(2)
  expect(await text.innerText()).toContain('<img src=x onerror="window.hacked=1">')
  expect(await text.locator('img, script, iframe').count()).toBe(0)
  expect(await page.evaluate(() => 'hacked' in window)).toBe(false)
  // What people type stays as it was typed.
  expect((await messages(page))[0]).toBe('Show me **everything**')

  await shotsOf(stage, laptop, 'the reply')
  // A wide table scrolls in itself, also by keyboard.
  await page.setViewportSize({ width: 390, height: 844 })
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390)
  await expect.poll(() => text.locator('[role=region]').getAttribute('tabindex')).toBe('0')
})

story('blocks of a reply that are finished are never touched again while it streams', async (stage) => {
  using provider = await startFakeProvider()
  const laptop = await openToAsk(stage, provider, "Anna's laptop")
  const { page } = laptop
  await say(page, 'Go on')
  const part = (index: number) =>
    `Paragraph ${index} has **bold** words.\n\n- a list\n- of ${index}\n\n${fence}js\nconst a = ${index}\n${fence}\n\n`
  for (let index = 0; index < 5; index++) await provider.stream(part(index))
  await provider.stream('Then ')
  const text = reply(page).getByTestId('message-text')
  await expect.poll(() => text.innerText()).toContain('Then')
  await expect.poll(() => text.locator('pre .keyword').count()).toBe(10)
  const touched = await text.evaluateHandle((element) => {
    const finished = Array.from(element.querySelectorAll('.part > *')).slice(0, -2)
    const touched: string[] = []
    const observer = new MutationObserver((records) => {
      for (const { target, attributeName } of records) {
        if (finished.some((block) => block.contains(target))) touched.push(target.textContent ?? '')
        // With it, the browser computes the style of all blocks anew.
        if (attributeName === 'dir' && target.contains(finished[0] ?? null)) touched.push('dir')
      }
    })
    observer.observe(element, { subtree: true, childList: true, characterData: true, attributes: true })
    return { touched, finished }
  })
  for (let index = 5; index < 25; index++) {
    await provider.stream(part(index))
    await expect.poll(() => text.innerText()).toContain(`Paragraph ${index} `)
  }
  provider.finish()
  await replied(page)
  await expect.poll(() => text.locator('pre .keyword').count()).toBe(50)
  const { count, areThere, seen } = await touched.evaluate(({ touched, finished }) => ({
    count: finished.length,
    areThere: finished.every((block) => block.isConnected),
    seen: touched,
  }))
  expect(count).toBeGreaterThan(10)
  expect(areThere).toBe(true)
  expect(seen).toEqual([])
})

story(
  'an image from elsewhere is fetched when the reader asks for it, and says nothing of the reader',
  async (stage) => {
    using provider = await startFakeProvider()
    const asked: { cookie: string | undefined; referer: string | undefined }[] = []
    const elsewhere = createServer((request, response) => {
      asked.push({ cookie: request.headers.cookie, referer: request.headers.referer })
      response.setHeader('access-control-allow-origin', '*')
      if (request.url === '/closed.png') response.statusCode = 403
      response.setHeader('content-type', 'image/svg+xml')
      response.end(
        '<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40"><circle r="30" fill="teal"/></svg>',
      )
    })
    elsewhere.listen(0, '127.0.0.1')
    await once(elsewhere, 'listening')
    const address = elsewhere.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    const host = `127.0.0.1:${address.port}`

    const laptop = await openToAsk(stage, provider, "Anna's laptop")
    const { page } = laptop
    await say(page, 'Show me')
    await provider.stream(
      `![A circle](http://${host}/circle.svg) and\n\n![Closed](http://${host}/closed.png)`,
    )
    provider.finish()
    await replied(page)
    const cards = reply(page).getByTestId('image-card')
    await expect.poll(() => cards.count()).toBe(2)
    expect(await cards.first().innerText()).toContain(host)
    await stage.shot(laptop, 'images that were not asked for')
    expect(asked).toEqual([])

    await cards.first().getByTestId('load-image').click()
    const image = reply(page).getByTestId('remote-image')
    await image.waitFor()
    expect(await image.getAttribute('alt')).toBe('A circle')
    await expect.poll(() => image.evaluate((it: HTMLImageElement) => it.naturalWidth)).toBe(60)
    expect(asked).toEqual([{ cookie: undefined, referer: undefined }])
    laptop.expectErrors(/403/)
    await cards.getByTestId('load-image').click()
    await cards.locator('a').waitFor()
    expect(await cards.locator('a').getAttribute('href')).toBe(`http://${host}/closed.png`)
    await stage.shot(laptop, 'one image is shown and one cannot be')
    elsewhere.close()
    elsewhere.closeAllConnections()
  },
)

story('thoughts are folded, and no part of what is copied', async (stage) => {
  using provider = await startFakeProvider()
  const laptop = await openToAsk(stage, provider, "Anna's laptop", {
    permissions: ['clipboard-read', 'clipboard-write'],
  })
  const { page } = laptop
  await say(page, 'Think')
  await provider.stream('<think>First **this**,\n\nthen that.')
  const thoughts = reply(page).getByTestId('thoughts')
  await thoughts.waitFor()
  expect(await reply(page).innerText()).not.toContain('then that')
  await thoughts.getByTestId('thoughts-toggle').click()
  await expect.poll(() => thoughts.locator('strong').innerText()).toBe('this')
  await provider.stream('</think>\n\nThe **answer**.')
  provider.finish()
  await replied(page)
  await expect.poll(() => reply(page).getByTestId('message-text').innerText()).toBe('The answer.')
  expect(await thoughts.innerText()).toContain('then that.')
  await shotsOf(stage, laptop, 'thoughts')

  await reply(page).hover()
  await reply(page).getByTestId('copy-message').click()
  await reply(page).locator('[data-testid=copy-message][data-copied=true]').waitFor()
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe('The **answer**.')
})

story('a reply runs from right to left once it turns out to be in Hebrew', async (stage) => {
  using provider = await startFakeProvider()
  const laptop = await openToAsk(stage, provider, "Anna's laptop")
  const { page } = laptop
  await say(page, 'In Hebrew, please')
  const direction = () =>
    reply(page)
      .getByTestId('message-text')
      .evaluate((element) => getComputedStyle(element).direction)
  await provider.stream('… ')
  await expect.poll(direction).toBe('ltr')
  await provider.stream('שלום')
  await expect.poll(direction).toBe('rtl')
  provider.finish()
  await replied(page)
  expect(await direction()).toBe('rtl')
})

story('what is copied from a selection keeps its lists, quotes, tables, code and formulas', async (stage) => {
  using provider = await startFakeProvider()
  const laptop = await openToAsk(stage, provider, "Anna's laptop", {
    permissions: ['clipboard-read', 'clipboard-write'],
  })
  const { page } = laptop
  await say(page, 'Show me')
  const written = [
    '# Title',
    'Some **bold** words and $x^2$.',
    '3. three\n4. four\n   - inner\n   - last',
    '- [x] done\n- [ ] to do',
    '> quoted\n> twice',
    `${fence}js\nif (a)\n  b()\n${fence}`,
    '| a | b |\n| - | - |\n| 1 | 2 |',
  ]
  await provider.stream(written.join('\n\n'))
  provider.finish()
  await replied(page)
  const text = reply(page).getByTestId('message-text')
  await expect.poll(() => text.locator('.katex').count()).toBe(1)
  await expect.poll(() => text.locator('pre .keyword').count()).toBe(1)
  const copied = async (selector: string): Promise<string> => {
    await text.locator(selector).evaluate((element) => getSelection()?.selectAllChildren(element))
    await page.keyboard.press('ControlOrMeta+c')
    return await page.evaluate(() => navigator.clipboard.readText())
  }
  const shown = [
    'Title',
    'Some bold words and x^2.',
    '3. three\n4. four\n   - inner\n   - last',
    '- [x] done\n- [ ] to do',
    '> quoted\n> twice',
    'if (a)\n  b()',
    'a\tb\n1\t2',
  ]
  expect(await copied('.markdown')).toBe(shown.join('\n\n'))
  expect(await copied('ol')).toBe(shown[2])
  // A piece of one paragraph is text as it is.
  expect(await copied('strong')).toBe('bold')

  await text.getByTestId('copy-code').click()
  await text.locator('[data-testid=copy-code][data-copied=true]').waitFor()
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe('if (a)\n  b()')
})

story('a screen reader is told of a growing reply sentence by sentence, each once', async (stage) => {
  using provider = await startFakeProvider()
  const laptop = await openToAsk(stage, provider, "Anna's laptop")
  const { page } = laptop
  await say(page, 'Tell me')
  // All that was ever in the region, as a screen reader is told of it.
  await page.getByTestId('spoken').evaluate((region) => {
    const said = Array.from(region.children, (line) => line.textContent ?? '')
    Object.assign(window, { said })
    new MutationObserver((records) => {
      for (const { addedNodes } of records)
        for (const node of addedNodes) if (node instanceof HTMLElement) said.push(node.innerText)
    }).observe(region, { childList: true })
  })
  const said = () => page.evaluate(() => Reflect.get(window, 'said') as string[])
  expect(await page.getByTestId('spoken').getAttribute('aria-live')).toBe('polite')
  expect(await page.getByTestId('chat').getAttribute('aria-live')).toBe('off')

  await provider.stream('The **fir')
  await expect.poll(() => reply(page).innerText()).toContain('fir')
  await expect.poll(said).toEqual(['Home · small:'])
  await provider.stream('st** sentence. The sec')
  await expect.poll(said).toEqual(['Home · small:', 'The first sentence.'])
  await provider.stream(`ond one.\n\n${fence}js\nlet a\n${fence}\n\n- a list`)
  provider.finish()
  await expect
    .poll(said)
    .toEqual(['Home · small:', 'The first sentence.', 'The second one.', 'Code in js.', 'a list'])
})

story(
  'a screen reader is told once what became of a reply, and which chat comes on screen',
  async (stage) => {
    using provider = await startFakeProvider()
    const laptop = await openToAsk(stage, provider, "Anna's laptop")
    laptop.expectErrors(/status of 401/)
    const { page } = laptop
    await newChat(page, 'Cooking')
    provider.refuse(401, JSON.stringify({ error: { message: 'Incorrect API key provided' } }))
    await say(page, 'Tell me')
    const refusal = /does not accept the key\. Incorrect API key provided$/
    await expect.poll(() => page.getByTestId('spoken').locator('p').last().innerText()).toMatch(refusal)
    await page.getByTestId('outcome').waitFor()
    expect(await page.getByTestId('spoken').locator('p').allInnerTexts()).toEqual([
      'Home · small:',
      expect.stringMatching(refusal),
    ])

    const shown = page.getByTestId('chat-shown')
    expect(await shown.getAttribute('role')).toBe('status')
    await newChat(page, 'Trips')
    await page.getByTestId('chat-title').fill('Trips to Sintra')
    expect(await shown.innerText()).not.toContain('Trips to')
    await treeItem(page, { title: 'Cooking' }).click()
    await expect.poll(() => shown.innerText()).toBe('Cooking')
    // What was said there before is not said again.
    expect(await page.getByTestId('spoken').locator('p').count()).toBe(0)
  },
)

story(
  'a long reply is shown whole as it grows; later its start, until somebody asks for the rest',
  async (stage) => {
    using provider = await startFakeProvider()
    const laptop = await openToAsk(stage, provider, "Anna's laptop")
    const { page } = laptop
    await say(page, 'Tell me all')
    for (let part = 0; part < 60; part++)
      await provider.stream(`## Part ${part}\n\n${'Some words of it. '.repeat(60)}\n\n`)
    await provider.stream('The end.')
    const text = reply(page).getByTestId('message-text')
    await expect.poll(() => text.innerText()).toContain('The end.')
    provider.finish()
    await replied(page)
    expect(await reply(page).getByTestId('show-whole').count()).toBe(0)
    expect(await text.locator('h4').count()).toBe(60)

    await page.reload()
    await reply(page).getByTestId('show-whole').waitFor()
    expect(await text.innerText()).not.toContain('The end.')
    await reply(page).getByTestId('show-whole').click()
    await expect.poll(() => text.locator('h4').count()).toBe(60)
    await expect.poll(() => text.innerText()).toContain('The end.')
    expect(await reply(page).getByTestId('show-whole').count()).toBe(0)
  },
)

story('a diagram is drawn when the reader asks for it, and nothing in it runs or loads', async (stage) => {
  using provider = await startFakeProvider()
  const laptop = await openToAsk(stage, provider, "Anna's laptop")
  // A newer Chromium tells that the policy of the page stopped what Mermaid sets in passing. An older one says nothing of it.
  laptop.expectErrors(/inline event handler|content policy: script-src-attr inline/)
  const { page } = laptop
  await say(page, 'Draw')
  const diagram = [
    '%%{init: {"securityLevel": "loose", "themeCSS": "* { fill: url(https://example.org/x) }"}}%%',
    'flowchart TD',
    '  A[Anna] -->|writes| B["<img src=x onerror=window.hacked=1>Ben"]',
    '  click A href "javascript:window.hacked=2"',
  ]
  await provider.stream(
    `${fence}mermaid\n${diagram.join('\n')}\n${fence}\n\n${fence}mermaid\nnothing\n${fence}`,
  )
  provider.finish()
  await replied(page)
  const cards = reply(page).getByTestId('code-card')
  await expect.poll(() => cards.count()).toBe(2)
  expect(await cards.first().locator('img').count()).toBe(0)
  await cards.first().getByTestId('show-diagram').click()
  const picture = cards.first().locator('img')
  await picture.waitFor()
  await expect.poll(() => picture.evaluate((it: HTMLImageElement) => it.naturalWidth)).toBeGreaterThan(50)
  await cards.last().getByTestId('show-diagram').click()
  await cards.last().getByTestId('diagram').locator('[role=alert]').waitFor()
  await shotsOf(stage, laptop, 'a diagram')
  expect(await page.evaluate(() => 'hacked' in window)).toBe(false)
  await cards.first().getByTestId('show-diagram').click()
  expect(await cards.first().locator('pre').innerText()).toContain('flowchart TD')
})

story(
  'a page that could not load what shows messages says so, and shows them after a reload',
  async (stage) => {
    const laptop = await stage.device("Anna's laptop", { serviceWorkers: 'block' })
    const { page } = laptop
    laptop.expectErrors(/ERR_FAILED/)
    const part = /\/assets\/Message-[^/]*\.js$/
    await page.route(part, (route) => route.abort())
    await openT69(page, laptop.url)
    await page.getByTestId('composer').fill('Still here')
    await page.getByTestId('composer').press('Enter')
    const missing = page.getByTestId('messages-missing')
    await missing.filter({ hasText: 'could not be loaded' }).waitFor()
    await page.unroute(part)
    await missing.getByRole('button', { name: 'Reload' }).click()
    await expect.poll(() => messages(page)).toEqual(['Still here'])
  },
)
