import { source, type AxeResults } from 'axe-core'
import type { Page } from 'playwright-core'

const options = {
  resultTypes: ['violations'],
  rules: {
    // A row of the sidebar has its menu in it, whose words are no part of the row's name.
    'label-content-name-mismatch': { enabled: false },
  },
}

/** What axe finds wrong with the page, a line each. */
export async function violationsOn(page: Page): Promise<string[]> {
  // As an expression: the page's content policy lets no other script in.
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(source)
  const results: AxeResults = await page.evaluate(`axe.run(${JSON.stringify(options)})`)
  return results.violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.html.slice(0, 200)} ${node.any[0]?.message ?? ''}`),
  )
}
