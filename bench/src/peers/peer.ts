import type { Program } from '../lib/process.ts'

/**
 * One of the servers that are measured, with its own client, both with the settings and the persistence that its documents
 * have. What all have in common is a document that maps texts to texts; an edit sets one of them.
 */
export interface Peer {
  readonly name: string
  /** Packages whose versions tell what was measured. */
  readonly packages: readonly string[]
  /** What it means that `Doc.acked` resolves. */
  readonly ack: 'on the disk' | 'received' | 'none'
  /** It passes edits on, and gives nobody what was there before: a limit, and no peer. */
  readonly passesOn?: true
  /** Its client does less than one that an app could use: what is missing is that client's cost. Not in every workload. */
  readonly isBare?: true
  program(given: { readonly port: number; readonly folder: string }): Program
  /** A script of `pages/` that opens its documents in a browser. */
  readonly page?: string
  /** A device that has nothing yet, of a person if the peer knows people. */
  connect(port: number, person?: string): Promise<Device>
}

export interface Device {
  create(): Promise<Doc>
  /** Resolves once the document has all that the server has. */
  open(name: string): Promise<Doc>
  close(): Promise<void>
}

export interface Doc {
  /** What other devices open it by. */
  readonly name: string
  set(key: string, value: string): void
  delete(key: string): void
  get(key: string): string | undefined
  /** How many texts it has. */
  size(): number
  /** Calls back whenever another device's edits have arrived. */
  onChange(listener: () => void): void
  /** Resolves when the server has said that it has all edits; at once where it says no such thing. */
  acked(): Promise<void>
  close(): Promise<void>
}
