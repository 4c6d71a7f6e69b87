import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'

import { expect } from 'vitest'

import type { Device } from '../lib/device.ts'
import { chunkOf, startFakeProvider } from '../lib/fake-provider.ts'
import { artifacts, story, type Stage } from '../lib/story.ts'
import {
  accountOf,
  invite,
  message,
  newChat,
  newFolder,
  say,
  setUpProvider,
  synced,
  treeItem,
} from '../lib/t69-page.ts'
import { acceptInvite, openOwnSpace } from '../lib/two-people.ts'

/**
 * The pictures of the documents. Each run takes them, and looks at nothing. To put them into docs/images:
 *
 *     PICTURES=docs/images pnpm exec vitest run --project browser pictures
 */
const folder = process.env['PICTURES']

const question = 'How long does sourdough prove at 24 °C, and how do I see that it is ready?'
const answer = `At **24 °C** the dough needs four to five hours, then a night in the fridge.

| step | time | how it looks |
| --- | ---: | --- |
| first rise | 4 h | half as big again |
| shaping | 10 min | a tight skin |
| fridge | 12 h | a dent springs back slowly |

To turn hours into degrees:

\`\`\`ts
const hours = (celsius: number) => 4 * 2 ** ((24 - celsius) / 6)
\`\`\`

It is ready when a poke fills again *slowly*.`

const aboutTrains = `Trains to **Sintra** leave from two stations:

- **Rossio**, every 15 minutes: 40 minutes through the tunnel, and the prettier way.
- **Oriente**, every half hour, good from the airport.

Buy a *Navegante* card once and charge it; it is valid on both lines.`

const name = 'the pictures of the documents'

story(name, async (stage) => {
  using provider = await startFakeProvider()
  provider.answer = (response, { messages }) => {
    const content = messages.at(-1)?.content.includes('Sintra') === true ? aboutTrains : answer
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.end(`${chunkOf({ content })}data: [DONE]\n\n`)
  }
  const laptop = await openOwnSpace(stage, 'laptop', accountOf('Anna'))
  await laptop.page.setViewportSize({ width: 1280, height: 820 })
  await setUpProvider(laptop.page, {
    name: 'Kitchen',
    baseUrl: provider.baseUrl,
    model: 'kitchen-1',
    key: 'a key',
  })
  await laptop.page.getByTestId('close-dialog').click()
  for (const [title, text] of [
    ['Trip to Lisbon', 'Which trains go to Sintra?'],
    ['Garden', 'What can I sow in March?'],
  ] as const) {
    await newChat(laptop.page, title)
    await say(laptop.page, text)
    await answered(laptop)
  }
  await newFolder(laptop.page, 'Kitchen')
  await newChat(laptop.page, 'Bread baking')
  await say(laptop.page, question)
  await answered(laptop)
  await synced(laptop.page)

  const phone = await acceptInvite(stage, 'phone', accountOf('Ben'), await invite(laptop.page, 'editor'), {
    viewport: { width: 390, height: 844 },
    deviceScaleFactor: 2,
    hasTouch: true,
    isMobile: true,
    colorScheme: 'dark',
  })
  // Whoever joins sees the chat in which somebody wrote last.
  await message(phone.page, question).waitFor()
  await say(phone.page, 'Mine took six hours. It was worth it!')
  await message(laptop.page, 'Mine took six hours. It was worth it!').waitFor()
  await synced(laptop.page)
  await synced(phone.page)
  // What is new is loaded when it is first needed: the colours of the code.
  await expect.poll(() => laptop.page.locator('[data-testid=code-card] span').count()).toBeGreaterThan(3)
  await keep(stage, laptop, 'chat')
  await keep(stage, phone, 'phone')
  await treeItem(laptop.page, { title: 'Trip to Lisbon' }).hover()
  await treeItem(laptop.page, { title: 'Trip to Lisbon' }).getByTestId('tree-menu').click()
  await laptop.page.getByTestId('menu-open-beside').click()
  await message(laptop.page, 'Which trains go to Sintra?').waitFor()
  await laptop.page.getByTestId('tabs').nth(1).waitFor()
  await keep(stage, laptop, 'side by side')
})

/** The newest reply is there, whole. */
async function answered({ page }: Device): Promise<void> {
  await page.locator('[data-testid=message][data-outcome=done]').last().waitFor()
}

let pictures = 0

async function keep(stage: Stage, device: Device, what: string): Promise<void> {
  await stage.shot(device, what)
  if (folder === undefined) return
  const file = `${String(++pictures).padStart(2, '0')}-${device.name}-${what.replaceAll(' ', '-')}.png`
  const taken = join(artifacts, name.replaceAll(' ', '-'), file)
  await copyFile(taken, join(folder, `${what.replaceAll(' ', '-')}.png`))
}
