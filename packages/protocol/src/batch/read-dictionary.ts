import { limits } from '../limits.ts'
import { keyProblem } from '../operation.ts'
import type { ByteReader } from './byte-reader.ts'

/** Names, each once. That they are in the order of their use, and used, is for the columns to see. */
export function readDictionary<Name extends string>(
  reader: ByteReader,
  section: string,
  atMost: number,
  readEntry: (reader: ByteReader) => string,
): Name[] {
  reader.enter(section)
  const count = reader.readCount(2, atMost)
  const names = new Set<string>()
  for (let index = 0; index < count; index++) names.add(readEntry(reader))
  if (names.size !== count) reader.fail('a name occurs twice')
  // Each entry has passed its rule, which is what the brand says.
  return [...names] as Name[]
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function readKey(reader: ByteReader): string {
  const bytes = reader.readBytes(reader.readCount(1, limits.maxKeyLength * 3))
  let key: string
  try {
    key = decoder.decode(bytes)
  } catch {
    return reader.fail('a key is not UTF-8')
  }
  const problem = keyProblem(key)
  if (problem !== undefined) reader.fail(`a key ${problem}`)
  return key
}
