import { uuidLikeProblem, type SpaceId } from '../ids.ts'
import type { ByteReader } from './byte-reader.ts'
import type { ByteWriter } from './byte-writer.ts'

/**
 * An id is a tag byte and its payload. Each id has exactly one form, the first that fits: hex, UUID, digits, text. The
 * tags of digits and text also give the length.
 */
const hexTag = 0
const uuidTag = 1
/** Tags 2 to 65: 1 to 64 decimal digits, two to a byte, the first in the high half. */
const digitsTag = 2
/** Tags 66 to 129: 1 to 64 ASCII characters. */
const textTag = 66
const maxLength = 64

const hex = /^[0-9a-f]{32}$/
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const digits = /^[0-9]{1,64}$/

type IdForm = 'hex' | 'uuid' | 'digits' | 'text'

function formOf(id: string): IdForm {
  if (id.length === 32 && hex.test(id)) return 'hex'
  if (id.length === 36 && uuid.test(id)) return 'uuid'
  return digits.test(id) ? 'digits' : 'text'
}

/** Writes an id that passes `idProblem`. */
export function writeId(writer: ByteWriter, id: string): void {
  switch (formOf(id)) {
    case 'hex':
      writer.writeByte(hexTag)
      return writeNibbles(writer, id)
    case 'uuid':
      writer.writeByte(uuidTag)
      return writeNibbles(writer, id.replaceAll('-', ''))
    case 'digits':
      writer.writeByte(digitsTag + id.length - 1)
      return writeNibbles(writer, id)
    case 'text':
      writer.writeByte(textTag + id.length - 1)
      for (let index = 0; index < id.length; index++) writer.writeByte(id.charCodeAt(index))
  }
}

/** Reads an id, and refuses any form but its own. The caller checks `idProblem`. */
export function readId(reader: ByteReader): string {
  const tag = reader.readByte()
  if (tag === hexTag) return readNibbles(reader, 32)
  if (tag === uuidTag) return dashed(readNibbles(reader, 32))
  if (tag < textTag) {
    const id = readNibbles(reader, tag - digitsTag + 1)
    if (!digits.test(id) || formOf(id) !== 'digits') reader.fail('an id is not written in its shortest form')
    return id
  }
  if (tag >= textTag + maxLength) reader.fail(`an id has the unknown tag ${tag}`)
  const id = String.fromCharCode(...reader.readBytes(tag - textTag + 1))
  if (formOf(id) !== 'text') reader.fail('an id is not written in its shortest form')
  return id
}

export function readSpaceId(reader: ByteReader): SpaceId {
  const id = readId(reader)
  const problem = uuidLikeProblem(id)
  if (problem !== undefined) reader.fail(`the space's id ${problem}`)
  return id as SpaceId
}

/** Writes two hex digits to a byte. The unused half of an odd last byte is 0. */
function writeNibbles(writer: ByteWriter, text: string): void {
  for (let index = 0; index < text.length; index += 2) {
    const high = nibble(text.charCodeAt(index))
    const low = index + 1 < text.length ? nibble(text.charCodeAt(index + 1)) : 0
    writer.writeByte(high * 16 + low)
  }
}

function readNibbles(reader: ByteReader, length: number): string {
  const units: number[] = []
  while (units.length < length) {
    const byte = reader.readByte()
    units.push(hexUnit(byte >> 4))
    if (units.length < length) units.push(hexUnit(byte % 16))
    else if (byte % 16 !== 0) reader.fail('an id has a digit too many')
  }
  return String.fromCharCode(...units)
}

function nibble(charCode: number): number {
  return charCode < 0x3a ? charCode - 0x30 : charCode - 0x57
}

function hexUnit(half: number): number {
  return half < 10 ? half + 0x30 : half + 0x57
}

function dashed(id: string): string {
  return `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}`
}
