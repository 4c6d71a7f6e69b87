import { expect, test } from 'vitest'

import { createLayers, layerOf, type Layers } from './layers.ts'

/** The history of a tab, at the entry of one place. `turn` does what browsers do later, as `popstate`. */
function createTab() {
  let entries: unknown[] = [{ spaceId: 'home' }]
  let at = 0
  let due: (() => void)[] = []
  const history = {
    get state(): unknown {
      return entries[at]
    },
    pushState(entry: unknown) {
      entries = [...entries.slice(0, ++at), entry]
    },
    go(steps = 0) {
      due.push(() => {
        at += steps
        popped.push(layers.popped())
      })
    },
  }
  function step(): void {
    const now = due
    due = []
    for (const run of now) run()
  }
  const popped: boolean[] = []
  const layers: Layers = createLayers({ history: () => history, later: (run) => due.push(run) })
  return {
    layers,
    popped,
    history,
    step,
    turn() {
      while (due.length > 0) step()
    },
    depth: () => layerOf(history.state),
    length: () => entries.length,
  }
}

/** Opens something that notes its name when it is closed. */
function openable({ layers }: { layers: Layers }) {
  const closed: string[] = []
  return {
    closed,
    open: (name: string) => {
      const left = layers.open(() => {
        closed.push(name)
        left()
      })
      return left
    },
  }
}

test('back closes what was opened last, and nothing else', () => {
  const tab = createTab()
  const { open, closed } = openable(tab)
  open('drawer')
  tab.turn()
  open('dialog')
  tab.turn()
  expect(tab.depth()).toBe(2)
  tab.history.go(-1)
  tab.turn()
  expect(closed).toEqual(['dialog'])
  tab.history.go(-1)
  tab.turn()
  expect(closed).toEqual(['dialog', 'drawer'])
  expect([tab.popped, tab.depth()]).toEqual([[true, true], 0])
})

test('two steps back close both layers, the upper one first', () => {
  const tab = createTab()
  const { open, closed } = openable(tab)
  open('drawer')
  open('dialog')
  tab.turn()
  tab.history.go(-2)
  tab.turn()
  expect(closed).toEqual(['dialog', 'drawer'])
  expect(tab.popped).toEqual([true])
})

test('what is closed in another way leaves its entry, so that the next step back is one to another place', () => {
  const tab = createTab()
  const { open, closed } = openable(tab)
  tab.history.pushState({ spaceId: 'away' })
  const left = open('dialog')
  tab.turn()
  left()
  expect(tab.layers.isReturning).toBe(false)
  tab.turn()
  expect([tab.depth(), tab.popped, closed]).toEqual([0, [true], []])
  expect(tab.layers.isReturning).toBe(false)
  tab.history.go(-1)
  tab.turn()
  expect(tab.popped).toEqual([true, false])
})

test('a menu that closes for a dialog hands over its entry', () => {
  const tab = createTab()
  const { open } = openable(tab)
  const left = open('menu')
  tab.turn()
  left()
  open('dialog')
  tab.turn()
  expect([tab.depth(), tab.length(), tab.popped]).toEqual([1, 2, []])
})

test('what is opened while the history is on its way back gets an entry when it has arrived', () => {
  const tab = createTab()
  const { open, closed } = openable(tab)
  const left = open('drawer')
  tab.turn()
  left()
  tab.step()
  expect(tab.layers.isReturning).toBe(true)
  open('dialog')
  tab.turn()
  expect(tab.depth()).toBe(1)
  tab.history.go(-1)
  tab.turn()
  expect(closed).toEqual(['dialog'])
})

test('an address that is typed while a dialog is open closes it, and is followed', () => {
  const tab = createTab()
  const { open, closed } = openable(tab)
  open('dialog')
  tab.turn()
  tab.history.pushState(null)
  expect(tab.layers.popped()).toBe(false)
  expect(closed).toEqual(['dialog'])
})

test('an entry that a page before a reload left is no place of its own', () => {
  const tab = createTab()
  tab.history.pushState({ spaceId: 'home', layer: 1 })
  const { open, closed } = openable(tab)
  open('dialog')
  tab.turn()
  expect(tab.length()).toBe(2)
  tab.history.go(-1)
  tab.turn()
  expect(closed).toEqual(['dialog'])
})
