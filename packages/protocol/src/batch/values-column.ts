import { jsonValueProblem, type JsonValue } from '../json-value.ts'
import { limits } from '../limits.ts'
import type { ByteReader } from './byte-reader.ts'
import { isSet } from './column-codes.ts'
import { invalidOperation } from './invalid-operation.ts'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Reads the values of the operations that set one: first all lengths, then all texts, up to the end of the batch. */
export function readValues(reader: ByteReader, kinds: Int32Array): JsonValue[] {
  reader.enter('values column')
  const lengths = new Uint32Array(kinds.length)
  let total = 0
  for (let at = 0; at < kinds.length; at++) {
    if (!isSet(kinds[at] ?? 0)) continue
    const length = reader.readVarint()
    if (length > limits.maxValueBytes) {
      throw invalidOperation(at, `value: it is ${length} bytes of JSON, more than ${limits.maxValueBytes}`)
    }
    lengths[at] = length
    total += length
  }
  if (total !== reader.remaining) reader.fail(`${reader.remaining} bytes are left for ${total} of values`)
  const bytes = reader.readBytes(total)
  const text = decodeText(reader, bytes)
  const isAscii = text.length === total
  const values: JsonValue[] = []
  let byteEnd = 0
  let textEnd = 0
  for (let at = 0; at < kinds.length; at++) {
    if (!isSet(kinds[at] ?? 0)) continue
    const length = lengths[at] ?? 0
    const textStart = textEnd
    textEnd += isAscii ? length : codeUnits(bytes, byteEnd, byteEnd + length)
    byteEnd += length
    if (isContinuation(bytes[byteEnd])) throw invalidOperation(at, 'value: it ends within a character')
    values.push(parseValue(text.slice(textStart, textEnd), at))
  }
  return values
}

function decodeText(reader: ByteReader, bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    return reader.fail('the values are not UTF-8')
  }
}

/** The number of UTF-16 code units of well-formed UTF-8 between two character boundaries. */
function codeUnits(bytes: Uint8Array, from: number, to: number): number {
  let units = 0
  for (let index = from; index < to; index++) {
    const byte = bytes[index] ?? 0
    if (!isContinuation(byte)) units += byte >= 0xf0 ? 2 : 1
  }
  return units
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x80 && byte < 0xc0
}

/** JSON of a text that is written as it is, in its quotes: most values. `JSON.parse` gives it back unchanged. */
// oxlint-disable-next-line no-control-regex
const plainText = /^"[^"\\\x00-\x1f\ud800-\udfff]*"$/

/** The longest text that is cut out of the text of all values, in UTF-16 code units. A longer piece would keep that alive. */
const shortText = 14

/**
 * Parses a value, and accepts only the text that `JSON.stringify` writes, so that a value has one form and encodes to
 * the same bytes again. That also refuses `-0`, `1e999`, repeated keys and white space.
 */
function parseValue(text: string, at: number): JsonValue {
  const isPlain = plainText.test(text)
  if (isPlain && text.length <= shortText) return text.slice(1, -1)
  let value: JsonValue
  try {
    value = JSON.parse(text)
  } catch {
    throw invalidOperation(at, 'value: it is not JSON')
  }
  if (isPlain) return value
  const problem = jsonValueProblem(value)
  if (problem !== undefined) throw invalidOperation(at, `value: ${problem}`)
  if (JSON.stringify(value) !== text)
    throw invalidOperation(at, 'value: it is not as JSON.stringify writes it')
  return value
}
