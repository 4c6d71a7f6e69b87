import { parentPort, workerData } from 'node:worker_threads'

import { replicaKinds } from './replicas.ts'

/** A thread that writes a document and has another replica receive it. Its memory goes with it. */

export interface Written {
  /** Texts a second. */
  readonly written: number
  readonly received: number
  readonly kept: readonly Uint8Array[]
}

const { name, count, atOnce } = workerData as { name: string; count: number; atOnce: number }
const kind = replicaKinds.find((one) => one.name === name)
if (kind === undefined) throw new Error(`there is no replica named ${name}`)

const doc = kind.create()
const pages: Uint8Array[] = []
const written = rate(() => {
  for (let from = 0; from < count; from += atOnce) {
    pages.push(doc.write(Array.from({ length: atOnce }, (_, at) => [`k${from + at}`, `text ${from + at}`])))
  }
})
const other = kind.empty()
const received = rate(() => {
  for (const page of pages) other.receive(page)
})
if (other.size() !== count) throw new Error(`the other replica has ${other.size()} texts`)
const state = doc.save()
const all: Written = { written, received, kept: state === undefined ? pages : [state] }
parentPort?.postMessage(all)

function rate(work: () => void): number {
  const begun = performance.now()
  work()
  return (count * 1000) / (performance.now() - begun)
}
