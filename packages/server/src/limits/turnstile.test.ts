import { expect, it } from 'vitest'

import { createTurnstile } from './turnstile.ts'

it('a turnstile lets so many through at once, the others in their order, and whoever fails does not stop it', async () => {
  const turnstile = createTurnstile(2)
  const begun: number[] = []
  const works = Array.from({ length: 5 }, () => Promise.withResolvers<void>())
  const runs = works.map(({ promise }, nr) =>
    turnstile.run(async () => {
      begun.push(nr)
      await promise
    }),
  )
  expect(begun).toEqual([0, 1])
  works[1]!.reject(new Error('it failed'))
  await expect(runs[1]).rejects.toThrow('it failed')
  expect(begun).toEqual([0, 1, 2])
  for (const { resolve } of works) resolve()
  await Promise.allSettled(runs)
  expect(begun).toEqual([0, 1, 2, 3, 4])
})
