import type { Doc } from '../peers/peer.ts'

export const textsAtOnce = 1_000

/** Sets the texts k0, k1, … one by one, and waits after each thousand until the server has said that it has them. */
export async function writeTexts(doc: Doc, count: number): Promise<void> {
  for (let at = 0; at < count; at++) {
    doc.set(`k${at}`, `text ${at}`)
    if (at % textsAtOnce !== 0) continue
    await doc.acked()
    await new Promise(setImmediate)
  }
}
