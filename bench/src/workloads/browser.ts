import { join } from 'node:path'

import { build } from 'esbuild'

import { launchProfile } from '../../../tests/lib/chromium.ts'
import { newFolder } from '../lib/folder.ts'
import { until } from '../lib/until.ts'
import { writeTexts } from '../lib/write-texts.ts'
import type { Opened } from '../pages/page.ts'
import type { Workload } from './workload.ts'

const edits = 100_000

export const browser: Workload = {
  name: 'browser',
  what: `A page in Chromium opens a document of ${edits} texts: cold, where the device has nothing, and warm, where its IndexedDB has the document. From the navigation until all can be read, and the longest task until then.`,
  figures: { cold: 'ms', 'longest task, cold': 'ms', warm: 'ms', 'longest task, warm': 'ms' },
  rounds: 3,
  takes: (peer) => peer.page !== undefined,
  run: async (bench) => {
    const doc = await (await bench.device()).create()
    await writeTexts(doc, edits)
    await doc.acked()
    const witness = await (await bench.device()).open(doc.name)
    await until('another device has all', () => witness.size() === edits)
    await bench.closeDevices()

    const { outputFiles } = await build({
      entryPoints: [join(import.meta.dirname, '../pages', bench.peer.page ?? '')],
      bundle: true,
      minify: true,
      write: false,
      format: 'esm',
      target: 'es2024',
    })
    // The page has no address of its own, which would keep it from servers of this machine.
    await using context = await launchProfile(newFolder(), { permissions: ['local-network-access'] })
    // At the address of the server: its own page would be another one.
    const url = `http://127.0.0.1:${bench.server.port}/measured`
    await context.route(`${url}/`, (route) =>
      route.fulfill({
        contentType: 'text/html',
        body: '<!doctype html><script type="module" src="page.js"></script>',
      }),
    )
    await context.route(`${url}/page.js`, (route) =>
      route.fulfill({ contentType: 'text/javascript', body: outputFiles[0]?.text ?? '' }),
    )

    async function open(): Promise<Opened> {
      const page = await context.newPage()
      await page.goto(`${url}/`)
      const opened = await page.evaluate(
        async ([name, lastKey]) => {
          const measure = Reflect.get(globalThis, 'opened') as (...of: unknown[]) => Promise<Opened>
          return await measure(name, lastKey)
        },
        [doc.name, `k${edits - 1}`],
      )
      if (opened.size !== edits) throw new Error(`the page has ${opened.size} texts`)
      await page.close()
      return opened
    }
    const cold = await open()
    const warm = await open()
    return {
      cold: cold.ms,
      'longest task, cold': cold.longestTaskMs,
      warm: warm.ms,
      'longest task, warm': warm.longestTaskMs,
    }
  },
}
