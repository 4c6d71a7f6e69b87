import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { Replica } from './replica.ts'
import { anyHistory, chainHistory, deliveryOf } from './testing/histories.ts'
import { modelOf, type Model } from './testing/plain-model.ts'

function shownBy(replica: Replica): Model {
  const vertices = replica.getAllVertices()
  const ids = vertices.map((vertex) => vertex.id)
  const children = new Map<string | null, readonly string[]>()
  for (const id of ids) {
    const childrenIds = replica.getChildrenIds(id)
    if (childrenIds.length > 0) children.set(id, childrenIds)
  }
  return {
    parents: new Map(vertices.map((vertex) => [vertex.id, vertex.parentId])),
    children,
    properties: new Map(
      ids.map((id) => [id, new Map(replica.getVertexProperties(id).map(({ key, value }) => [key, value]))]),
    ),
  }
}

/** The children of each vertex in the order of `getChildren`. */
function datedChildrenOf(replica: Replica): unknown {
  const ids = replica.getAllVertices().map((vertex) => vertex.id)
  return ids.map((id) => [id, replica.getChildren(id).map((child) => child.id)])
}

function expectModel(replica: Replica, model: Model): void {
  const shown = shownBy(replica)
  const children = new Map(model.children)
  children.delete(null)
  expect(shown.parents).toEqual(model.parents)
  expect(shown.children).toEqual(children)
  expect(shown.properties).toEqual(model.properties)
}

const histories = anyHistory().chain((ops) => fc.tuple(fc.constant(ops), deliveryOf(ops), deliveryOf(ops)))

test('[RE2] [RE3] [RE4] any operations, in any order and batches, show the state of the plain model after each batch', () => {
  fc.assert(
    fc.property(histories, ([ops, one, other]) => {
      const fresh = new Replica({ ops })
      const digests = [one, other].map((delivery) => {
        const replica = new Replica()
        const merged: typeof ops = []
        for (const batch of delivery) {
          replica.merge(batch)
          merged.push(...batch)
          expectModel(replica, modelOf(merged))
          datedChildrenOf(replica)
        }
        expect(datedChildrenOf(replica)).toEqual(datedChildrenOf(fresh))
        return replica.digest()
      })
      expect(digests[0]).toBe(digests[1])
      expect(fresh.digest()).toBe(digests[0])
    }),
    { numRuns: 1_000 },
  )
})

test('[RE4] moves within a deep chain show the state of the plain model, however they are delivered', () => {
  const deliveries = chainHistory().chain((ops) => fc.tuple(fc.constant(ops), deliveryOf(ops)))
  fc.assert(
    fc.property(deliveries, ([ops, delivery]) => {
      const replica = new Replica()
      for (const batch of delivery) replica.merge(batch)
      expectModel(replica, modelOf(ops))
      expect(replica.digest()).toBe(new Replica({ ops }).digest())
    }),
    { numRuns: 150 },
  )
})
