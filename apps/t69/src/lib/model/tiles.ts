/**
 * The tiles of t69's stored layout. A grid has rows, a row has columns, a column has a panel or another grid, and a panel has
 * tabs. What is stored may be anything: tiles are found from the root downwards, each once, and `parent` is never believed.
 */
export type Tile = Readonly<Record<string, unknown>>
export type Tiles = ReadonlyMap<string, Tile>

/** A panel, and the tiles that lead to it from above. */
interface Place {
  readonly panel: Tile
  readonly column: Tile
  readonly row: Tile
  readonly grid: Tile
}

export function rootOf(tiles: Tiles): Tile | undefined {
  return Array.from(tiles.values()).find(
    (tile) => tile['type'] === 'grid' && (tile['parent'] ?? null) === null,
  )
}

/** The ids of the tiles in a grid, a row or a column. */
export function inside(tile: Tile): string[] {
  if (tile['type'] === 'grid') return textsIn(tile, 'rows')
  if (tile['type'] === 'row') return textsIn(tile, 'columns')
  return tile['type'] === 'column' ? [textIn(tile, 'child')] : []
}

/** The tiles that the root leads to, in their order on screen, each with the one that it is in. */
function reached(tiles: Tiles): Map<Tile, Tile | null> {
  const found = new Map<Tile, Tile | null>()
  const root = rootOf(tiles)
  const waiting: (readonly [Tile, Tile | null])[] = root === undefined ? [] : [[root, null]]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [tile, outer] = next
    if (found.has(tile)) continue
    found.set(tile, outer)
    for (const id of inside(tile).toReversed()) {
      const inner = tiles.get(id)
      if (inner !== undefined) waiting.push([inner, tile])
    }
  }
  return found
}

/** The panels, from the first to the last on screen. */
export function panelsOf(tiles: Tiles): Tile[] {
  return Array.from(reached(tiles).keys()).filter((tile) => tile['type'] === 'panel')
}

/** The tile that a tile is in; undefined for the root, and for one that the root does not lead to. */
export function outerOf(tiles: Tiles, id: string): Tile | undefined {
  const tile = tiles.get(id)
  return (tile === undefined ? null : reached(tiles).get(tile)) ?? undefined
}

/** Undefined for a panel that does not lie in a column of a row of a grid. */
export function placeOf(tiles: Tiles, panelId: string): Place | undefined {
  const outer = reached(tiles)
  const panel = tiles.get(panelId)
  const column = panel && outer.get(panel)
  const row = column && outer.get(column)
  const grid = row && outer.get(row)
  return panel && column && row && grid ? { panel, column, row, grid } : undefined
}

/** With some tiles changed or added. */
export function withTiles(tiles: Tiles, ...changed: readonly Tile[]): Tiles {
  return new Map([...tiles, ...changed.map((tile) => [textIn(tile, 'id'), tile] as const)])
}

/** How much of a row or a grid each of its parts has. */
export const whole: Tile = { value: 100, unit: '%' }

/** The narrowest and lowest that a part is shown, as a share of what it is a part of. */
const leastShare = 0.08

/** t69's sizes: a number or a value in `%`, in `px`, or `auto`. In shares of one, in place of what no screen could show. */
export function sharesOf(sizes: readonly unknown[]): number[] {
  const weights = sizes.map(weightOf)
  const known = weights.filter((weight) => weight !== null)
  const usual = known.length === 0 ? 1 : sumOf(known) / known.length
  const filled = weights.map((weight) => weight ?? usual)
  const least = sumOf(filled) * leastShare
  const shown = filled.map((weight) => Math.max(weight, least))
  return shown.map((weight) => weight / sumOf(shown))
}

/** Of a window of 1,000 px, for sizes in px. */
const pxPerPercent = 10
const mostPercent = 10_000

function weightOf(size: unknown): number | null {
  const { value, unit } = typeof size === 'number' ? { value: size, unit: '%' } : objectOf(size)
  if (typeof value !== 'number' || !(value > 0) || unit === 'auto') return null
  return Math.min(unit === 'px' ? value / pxPerPercent : value, mostPercent)
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
}

/** The key of a tile's size. */
export const sizeKey = (tile: Tile): 'height' | 'width' => (tile['type'] === 'row' ? 'height' : 'width')

/** Gives the parts of a row or a grid sizes in %, which are 100 together. */
export function sized(tiles: Tiles, ids: readonly string[], shares: readonly number[]): Tiles {
  const changed = ids.map((id, index) => {
    const tile = tiles.get(id) ?? {}
    const value = Math.round((shares[index] ?? 0) * 10_000) / 100
    return { ...tile, [sizeKey(tile)]: { value, unit: '%' } }
  })
  return withTiles(tiles, ...changed)
}

/** The shares of parts of one row or grid. */
export function sharesIn(tiles: Tiles, ids: readonly string[]): number[] {
  return sharesOf(
    ids.map((id) => {
      const tile = tiles.get(id) ?? {}
      return tile[sizeKey(tile)]
    }),
  )
}

export function objectOf(value: unknown): Tile {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
}

export function textIn(tile: Tile, key: string): string {
  const value = tile[key]
  return typeof value === 'string' ? value : ''
}

export function textsIn(tile: Tile, key: string): string[] {
  const value = tile[key]
  return Array.isArray(value) ? value.filter((it) => typeof it === 'string') : []
}
