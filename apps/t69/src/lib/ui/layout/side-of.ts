import type { Side } from '../../model/split-tiles.ts'

/** How near to an edge of a pane a tab is dropped to split it there, as a share of its width or height. */
const nearEdge = 0.28

/** The side of a pane that a point is near; null in its middle. */
export function sideOf(
  pane: { readonly left: number; readonly top: number; readonly width: number; readonly height: number },
  point: { readonly x: number; readonly y: number },
  isRightToLeft: boolean,
): Side | null {
  const left = (point.x - pane.left) / pane.width
  const top = (point.y - pane.top) / pane.height
  const start = isRightToLeft ? 1 - left : left
  const distances: readonly (readonly [Side, number])[] = [
    ['start', start],
    ['end', 1 - start],
    ['top', top],
    ['bottom', 1 - top],
  ]
  const [nearest] = distances.toSorted(([, a], [, b]) => a - b)
  return nearest !== undefined && nearest[1] < nearEdge ? nearest[0] : null
}
