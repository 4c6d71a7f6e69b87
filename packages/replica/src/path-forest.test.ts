import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { attach, detach, isBelow, type ForestNode } from './path-forest.ts'

test('after any attaching and detaching, the forest knows the ancestors that climbing finds', () => {
  const size = 12
  const pair = fc.tuple(fc.nat(size - 1), fc.nat(size - 1), fc.boolean())
  fc.assert(
    fc.property(fc.array(pair, { maxLength: 200 }), (steps) => {
      const nodes = Array.from({ length: size }, (): ForestNode => ({
        up: undefined,
        left: undefined,
        right: undefined,
      }))
      const answers: [boolean, boolean][] = []
      const parents = new Map<number, number>()
      const climbs = (from: number, to: number): boolean => {
        for (let at = parents.get(from); at !== undefined; at = parents.get(at)) if (at === to) return true
        return false
      }
      for (const [node, other, isQuestion] of steps) {
        if (isQuestion) answers.push([isBelow(nodes[node]!, nodes[other]!), climbs(node, other)])
        else {
          if (parents.delete(node)) detach(nodes[node]!)
          if (node === other || climbs(other, node)) continue
          parents.set(node, other)
          attach(nodes[node]!, nodes[other]!)
        }
      }
      expect(answers.map(([answer]) => answer)).toEqual(answers.map(([, climbed]) => climbed))
    }),
    { numRuns: 500 },
  )
})
