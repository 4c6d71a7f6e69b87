import { pathTo, threadOf, type Chosen, type ThreadEntry } from './chat-tree.ts'
import type { Tree } from './tree.ts'

/**
 * The versions that a reader has to choose to see a message: of each place on the way to it that shows them another one. Empty for
 * one that they see, or that is deleted.
 */
export function choicesTo(
  tree: Tree,
  id: string,
  chosen: Chosen,
): readonly { readonly entry: ThreadEntry; readonly id: string }[] {
  const path = pathTo(tree, id)
  const choices: { readonly entry: ThreadEntry; readonly id: string }[] = []
  // One place more is shown after each choice.
  for (let seen = chosen; ;) {
    const entry = threadOf(tree, undefined, seen).find(
      (place) => !path.has(place.id) && place.versions.some((version) => path.has(version)),
    )
    const version = entry?.versions.find((it) => path.has(it))
    if (entry === undefined || version === undefined) return choices
    choices.push({ entry, id: version })
    seen = new Set([...Array.from(seen).filter((it) => !entry.versions.includes(it)), version])
  }
}
