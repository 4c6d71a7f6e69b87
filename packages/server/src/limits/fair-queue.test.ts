import { describe, expect, it } from 'vitest'

import { createFairQueue, type FairQueue, type Payer } from './fair-queue.ts'

const of = (...names: string[]): Payer[] => names.map((name) => ({ name, weight: 1 }))

/** Works `ms` on each of the next jobs, and names them. */
function work(queue: FairQueue<string>, jobs: number, ms: (job: string) => number = () => 1): string[] {
  return Array.from({ length: jobs }, () => {
    const { job } = queue.next()!
    queue.worked(ms(job), true)
    return job
  })
}

describe('the fair queue', () => {
  it('takes turns between payers, however many jobs each has', () => {
    const queue = createFairQueue<string>()
    for (let nr = 0; nr < 100; nr++) queue.add({ job: `a${nr}`, lane: `a${nr}`, payers: of('a') })
    for (let nr = 0; nr < 3; nr++) queue.add({ job: `b${nr}`, lane: `b${nr}`, payers: of('b') })
    expect(work(queue, 7)).toEqual(['a0', 'b0', 'a1', 'b1', 'a2', 'b2', 'a3'])
    expect(queue.size).toBe(96)
  })

  it('counts the time that the work took, and not the jobs', () => {
    const queue = createFairQueue<string>()
    for (let nr = 0; nr < 20; nr++) {
      queue.add({ job: 'dear', lane: `dear ${nr}`, payers: of('a') })
      queue.add({ job: 'cheap', lane: `cheap ${nr}`, payers: of('b') })
    }
    const done = work(queue, 12, (job) => (job === 'dear' ? 10 : 1))
    expect(done.filter((job) => job === 'dear')).toHaveLength(2)
  })

  it('serves whoever comes later next, and gives nobody what they did not use before', () => {
    const queue = createFairQueue<string>()
    for (let nr = 0; nr < 50; nr++) queue.add({ job: 'a', lane: `a${nr}`, payers: of('a') })
    work(queue, 20)
    for (let nr = 0; nr < 50; nr++) queue.add({ job: 'b', lane: `b${nr}`, payers: of('b') })
    expect(work(queue, 1)).toEqual(['b'])
    // Not the twenty that the other had alone.
    expect(work(queue, 10).filter((job) => job === 'b')).toHaveLength(5)
  })

  it('keeps the order of a lane, and does what is ahead of whoever is next', () => {
    const queue = createFairQueue<string>()
    queue.add({ job: 'a1', lane: 'shared', payers: of('a') })
    queue.add({ job: 'a2', lane: 'own', payers: of('a') })
    queue.add({ job: 'c1', lane: 'shared', payers: of('c') })
    queue.add({ job: 'b1', lane: 'shared', payers: of('b') })
    expect(work(queue, 4)).toEqual(['a1', 'c1', 'b1', 'a2'])
    expect(queue.next()).toBeUndefined()
  })

  it('splits the time of a job between those who share it', () => {
    const queue = createFairQueue<string>()
    queue.add({
      job: 'both',
      lane: 'shared',
      payers: [
        { name: 'a', weight: 99 },
        { name: 'b', weight: 1 },
      ],
    })
    for (let nr = 0; nr < 9; nr++) queue.add({ job: 'a', lane: `a${nr}`, payers: of('a') })
    for (let nr = 0; nr < 9; nr++) queue.add({ job: 'b', lane: `b${nr}`, payers: of('b') })
    expect(work(queue, 1, () => 100)).toEqual(['both'])
    expect(work(queue, 9, () => 10)).toEqual(Array.from({ length: 9 }, () => 'b'))
  })

  it('goes on with a job that is not done only when its payer is next again', () => {
    const queue = createFairQueue<string>()
    queue.add({ job: 'large', lane: 'a', payers: of('a') })
    expect(queue.next()?.job).toBe('large')
    queue.worked(5, false)
    queue.add({ job: 'small', lane: 'b', payers: of('b') })
    expect(work(queue, 1)).toEqual(['small'])
    expect(queue.next()?.job).toBe('large')
    expect(queue.size).toBe(1)
  })

  it('keeps the order in which jobs came while payers differ by less than the quantum', () => {
    const queue = createFairQueue<string>(10)
    for (const job of ['a1', 'a2', 'b1', 'a3', 'b2']) {
      queue.add({ job, lane: job.slice(0, 1), payers: of(job.slice(0, 1)) })
    }
    expect(work(queue, 4, () => 4)).toEqual(['a1', 'a2', 'b1', 'a3'])
    queue.add({ job: 'a4', lane: 'a', payers: of('a') })
    queue.add({ job: 'b3', lane: 'b', payers: of('b') })
    // The first has had 12 by now, the other 4.
    expect(work(queue, 3, () => 1)).toEqual(['b2', 'b3', 'a4'])
  })

  it('forgets payers who have had their share', () => {
    const queue = createFairQueue<string>()
    for (let nr = 0; nr < 50_000; nr++) {
      queue.add({ job: 'once', lane: 'lane', payers: of(`payer ${nr}`) })
      work(queue, 1)
    }
    expect(queue.size).toBe(0)
  })
})
