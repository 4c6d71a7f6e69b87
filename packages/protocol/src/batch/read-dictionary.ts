import { idProblem } from '../ids.ts'
import { limits } from '../limits.ts'
import { keyProblem } from '../operation.ts'
import type { ByteReader } from './byte-reader.ts'
import { readId } from './id-code.ts'

/** The ids or keys of a dictionary, each once. The columns check that they are used, and in which order. */
export interface Names<Name extends string> {
  readonly names: readonly Name[]
  /**
   * The problems of invalid names, by index. Such a batch is refused once the columns tell which operation uses the
   * name, so that the sender can leave that operation out.
   */
  readonly problems: ReadonlyMap<number, string>
}

export function readIds<Name extends string>(
  reader: ByteReader,
  section: string,
  atMost: number,
): Names<Name> {
  return readNames(reader, section, atMost, readId, idProblem)
}

export function readKeys(reader: ByteReader, atMost: number): Names<string> {
  return readNames(reader, 'keys', atMost, readKey, keyProblem)
}

function readNames<Name extends string>(
  reader: ByteReader,
  section: string,
  atMost: number,
  readEntry: (reader: ByteReader) => string,
  problemOf: (name: string) => string | undefined,
): Names<Name> {
  reader.enter(section)
  const count = reader.readCount(2, atMost)
  const names = new Set<string>()
  const problems = new Map<number, string>()
  for (let index = 0; index < count; index++) {
    const name = readEntry(reader)
    names.add(name)
    const problem = problemOf(name)
    if (problem !== undefined) problems.set(index, problem)
  }
  if (names.size !== count) reader.fail('a name occurs twice')
  // The brand is true: an entry either passed its rule, or the batch is refused before an operation has it.
  return { names: [...names] as Name[], problems }
}

function readKey(reader: ByteReader): string {
  return reader.readText(reader.readCount(1, limits.maxKeyLength * 3)) ?? reader.fail('a key is not UTF-8')
}
