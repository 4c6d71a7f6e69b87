import { inside, outerOf, rootOf, sharesIn, sized, textIn, type Tile, type Tiles } from './tiles.ts'

/** Where panes and the edges between them lie, in % of the area that they share, from its start and its top. */
interface Box {
  readonly start: number
  readonly top: number
  readonly width: number
  readonly height: number
}

/** The place of a panel on screen. */
export interface PaneBox extends Box {
  readonly id: string
}

/** What is dragged to make one part larger and the one after it smaller. Without a width, or without a height. */
export interface PaneEdge extends Box {
  readonly id: string
  readonly axis: 'x' | 'y'
  /** The tiles before it and after it. */
  readonly before: string
  readonly after: string
  /** How much the one before it has of the room of both, in %. */
  readonly share: number
  /** The room of both. */
  readonly both: Box
}

export interface PaneBoxes {
  readonly panes: PaneBox[]
  readonly edges: PaneEdge[]
}

/** Deeper grids are not shown. */
const deepest = 32
/** How much of the room of two parts each of them keeps, in %. */
export const narrowest = 15

/** What is shown of a tile: a panel, or several parts beside or below each other. */
interface Frame {
  readonly tileId: string
  readonly panelId: string | null
  readonly axis: 'x' | 'y'
  readonly parts: readonly Frame[]
}

/** Lays out the panels that are shown. The others leave no gaps. */
export function boxesOf(tiles: Tiles, isShown: (panelId: string) => boolean): PaneBoxes {
  const root = rootOf(tiles)
  const frame = root && frameOf(tiles, root, isShown, new Set(), 0)
  const boxes: PaneBoxes = { panes: [], edges: [] }
  if (frame) lay(tiles, frame, { start: 0, top: 0, width: 100, height: 100 }, boxes)
  return boxes
}

function frameOf(
  tiles: Tiles,
  tile: Tile,
  isShown: (panelId: string) => boolean,
  seen: Set<Tile>,
  depth: number,
): Frame | null {
  if (seen.has(tile) || depth > deepest) return null
  seen.add(tile)
  const tileId = textIn(tile, 'id')
  const axis = tile['type'] === 'row' ? 'x' : 'y'
  if (tile['type'] === 'panel') return isShown(tileId) ? { tileId, panelId: tileId, axis, parts: [] } : null
  const parts = inside(tile).flatMap((id) => {
    const inner = tiles.get(id)
    return (inner && frameOf(tiles, inner, isShown, seen, depth + 1)) ?? []
  })
  return parts.length === 0 ? null : { tileId, panelId: null, axis, parts }
}

function lay(tiles: Tiles, { panelId, axis, parts }: Frame, box: Box, boxes: PaneBoxes): void {
  if (panelId !== null) boxes.panes.push({ id: panelId, ...box })
  const shares = sharesIn(
    tiles,
    parts.map(({ tileId }) => tileId),
  )
  let taken = 0
  for (const [index, part] of parts.entries()) {
    const share = shares[index] ?? 0
    const own = partOf(box, axis, taken, share)
    lay(tiles, part, own, boxes)
    taken += share
    const next = parts[index + 1]
    if (next === undefined) continue
    const both = partOf(box, axis, taken - share, share + (shares[index + 1] ?? 0))
    boxes.edges.push({
      id: `${part.tileId}|${next.tileId}`,
      axis,
      before: part.tileId,
      after: next.tileId,
      share: Math.round((share / (share + (shares[index + 1] ?? 0))) * 100),
      both,
      ...partOf(box, axis, taken, 0),
    })
  }
}

function partOf({ start, top, width, height }: Box, axis: 'x' | 'y', from: number, share: number): Box {
  return axis === 'x'
    ? { start: start + width * from, top, width: width * share, height }
    : { start, top: top + height * from, width, height: height * share }
}

/** Gives the tile before an edge a share of the room of both, in %. Neither gets too narrow to be read. */
export function resizeTiles(
  tiles: Tiles,
  { before, after }: Pick<PaneEdge, 'before' | 'after'>,
  share: number,
): Tiles {
  const outer = outerOf(tiles, before)
  const ids = outer === undefined ? [] : inside(outer)
  const [at, next] = [ids.indexOf(before), ids.indexOf(after)]
  if (at < 0 || next < 0 || !Number.isFinite(share)) return tiles
  const shares = sharesIn(tiles, ids)
  const both = (shares[at] ?? 0) + (shares[next] ?? 0)
  const own = (both * Math.min(Math.max(share, narrowest), 100 - narrowest)) / 100
  return sized(tiles, ids, shares.with(at, own).with(next, both - own))
}
