import {
  inside,
  objectOf,
  panelsOf,
  placeOf,
  outerOf,
  rootOf,
  sharesIn,
  sized,
  textIn,
  whole,
  withTiles,
  type Tile,
  type Tiles,
} from './tiles.ts'

/** Where a new panel goes, beside another one: before it or after it in the line, above it or below it. */
export type Side = 'start' | 'end' | 'top' | 'bottom'

/**
 * Adds an empty panel beside another one, which it takes half the room from. Null where there is no such place. The root
 * keeps its one row, in which t69 has its sidebar.
 */
export function splitTiles(
  tiles: Tiles,
  panelId: string,
  side: Side,
  newId: () => string,
): { readonly tiles: Tiles; readonly addedId: string } | null {
  const place = placeOf(tiles, panelId)
  if (place === undefined) return null
  const isInLine = side === 'start' || side === 'end'
  const isAlone = inside(place.row).length === 1
  if (place.grid === rootOf(tiles) || !(isInLine || isAlone))
    return splitTiles(inGrid(tiles, place.column, panelId, newId), panelId, side, newId)

  const [columnId, addedId] = [newId(), newId()]
  const panel = { id: addedId, type: 'panel', parent: columnId, tabs: [], activeTab: null }
  if (isInLine) {
    const column = { id: columnId, type: 'column', parent: textIn(place.row, 'id'), child: addedId }
    const added = withTiles(tiles, panel, column)
    return { tiles: insertPart(added, place.row, place.column, columnId, side === 'end'), addedId }
  }
  const rowId = newId()
  const row = { id: rowId, type: 'row', parent: textIn(place.grid, 'id'), columns: [columnId] }
  const column = { id: columnId, type: 'column', parent: rowId, child: addedId, width: whole }
  const added = withTiles(tiles, panel, column, row)
  return { tiles: insertPart(added, place.grid, place.row, rowId, side === 'bottom'), addedId }
}

/** Puts what a column has into a grid of its own. */
function inGrid(tiles: Tiles, outer: Tile, panelId: string, newId: () => string): Tiles {
  const [gridId, rowId, columnId] = [newId(), newId(), newId()]
  return withTiles(
    tiles,
    { ...outer, child: gridId },
    { id: gridId, type: 'grid', parent: textIn(outer, 'id'), rows: [rowId] },
    { id: rowId, type: 'row', parent: gridId, columns: [columnId], height: whole },
    { id: columnId, type: 'column', parent: rowId, child: panelId, width: whole },
    { ...tiles.get(panelId), parent: columnId },
  )
}

/** Puts a new row or column beside another one, and shares the room of that one between them. */
function insertPart(tiles: Tiles, outer: Tile, beside: Tile, addedId: string, isAfter: boolean): Tiles {
  const ids = inside(outer)
  const at = ids.indexOf(textIn(beside, 'id'))
  const half = (sharesIn(tiles, ids)[at] ?? 1) / 2
  const shares = sharesIn(tiles, ids).with(at, half).toSpliced(at, 0, half)
  const parts = ids.toSpliced(isAfter ? at + 1 : at, 0, addedId)
  return sized(withTiles(tiles, withParts(outer, parts)), parts, shares)
}

function withParts(outer: Tile, parts: readonly string[]): Tile {
  return { ...outer, [outer['type'] === 'row' ? 'columns' : 'rows']: parts }
}

/** Takes an empty panel away, and what it leaves empty. Its room goes to those beside it. The last panel stays. */
export function removePanel(tiles: Tiles, panelId: string): Tiles {
  if (panelsOf(tiles).length < 2 || placeOf(tiles, panelId) === undefined) return tiles
  const kept = new Map(tiles)
  let gone = panelId
  for (let outer = outerOf(tiles, gone); outer !== undefined; outer = outerOf(tiles, gone)) {
    kept.delete(gone)
    const parts = inside(outer).filter((id) => id !== gone)
    const stays = outer['dontClean'] === true || outer === rootOf(tiles)
    if (outer['type'] !== 'column' && (parts.length > 0 || stays)) {
      const left = withTiles(kept, withParts(outer, parts))
      return unwrapped(sized(left, parts, sharesIn(left, parts)), textIn(outer, 'id'))
    }
    gone = textIn(outer, 'id')
  }
  return tiles
}

/** A grid that has a single column any more gives its place to what is in that. */
function unwrapped(tiles: Tiles, changedId: string): Tiles {
  const changed = tiles.get(changedId) ?? {}
  const grid = changed['type'] === 'row' ? outerOf(tiles, changedId) : changed
  const gridId = textIn(grid ?? {}, 'id')
  const outer = outerOf(tiles, gridId)
  if (grid === undefined || outer?.['type'] !== 'column' || grid['dontClean'] === true) return tiles
  const [rowId, ...otherRows] = inside(grid)
  const [columnId, ...otherColumns] = inside(objectOf(tiles.get(rowId ?? '')))
  const [innerId] = inside(objectOf(tiles.get(columnId ?? '')))
  const inner = tiles.get(innerId ?? '')
  if (inner === undefined || otherRows.length > 0 || otherColumns.length > 0) return tiles
  const outerId = textIn(outer, 'id')
  const next = new Map(withTiles(tiles, { ...outer, child: innerId }, { ...inner, parent: outerId }))
  for (const id of [gridId, rowId, columnId]) next.delete(id ?? '')
  return next
}
