import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { parse, View } from 'vega'
import { compile } from 'vega-lite'

import type { Results } from './results.ts'

/** Draws each file of `results/` as bars beside one another: `results/NAME.svg`. */

const results = join(import.meta.dirname, '../results')

for (const file of readdirSync(results).filter((name) => name.endsWith('.json'))) {
  const { name, figures, rows } = JSON.parse(readFileSync(join(results, file), 'utf8')) as Results
  const values = rows.flatMap(({ peer, medians, failure }) =>
    failure === undefined
      ? Object.entries(medians).map(([figure, value]) => ({
          peer,
          figure: `${figure}, ${figures[figure]}`,
          value,
        }))
      : [],
  )
  const { spec } = compile({
    data: { values },
    background: 'white',
    facet: { column: { field: 'figure', title: null, sort: null } },
    spec: {
      width: 180,
      encoding: {
        y: { field: 'peer', type: 'nominal', title: null, sort: null },
        x: { field: 'value', type: 'quantitative', title: null, axis: { tickCount: 4 } },
      },
      layer: [
        {
          mark: 'bar',
          encoding: {
            color: { condition: { test: "datum.peer === 't69'", value: '#1f7a5c' }, value: '#b9b4a8' },
          },
        },
        {
          mark: { type: 'text', align: 'left', dx: 3, fontSize: 10 },
          encoding: { text: { field: 'value', format: '.3~s' } },
        },
      ],
    },
    resolve: { scale: { x: 'independent' } },
  })
  const view = new View(parse(spec), { renderer: 'none' })
  writeFileSync(join(results, `${name}.svg`), `${await view.toSVG()}\n`)
}
