import { Unzip, UnzipInflate } from 'fflate'

import { TransferError } from './transfer-error.ts'

/** The most text that is unpacked, in bytes: browsers hold no longer text than half a gigabyte. */
export const maxUnpackedBytes = 480 * 1024 * 1024

/**
 * Unpacks those of a zip's files that are `wanted`, as text by their names. Throws `too-large` as soon as they have become
 * so, whatever the zip says of their size, and `broken-zip`.
 */
export async function unzipTexts(
  zip: Blob,
  name: string,
  wanted: (file: string) => boolean,
  mostBytes = maxUnpackedBytes,
): Promise<Map<string, string>> {
  const texts = new Map<string, string[]>()
  let bytes = 0
  let found = 0
  let ended = 0
  let failure: Error | undefined
  const unzip = new Unzip((file) => {
    if (!wanted(file.name) || failure !== undefined) return
    found++
    const decoder = new TextDecoder()
    const parts: string[] = []
    texts.set(file.name, parts)
    file.ondata = (error, data, isLast) => {
      if (error !== null) failure ??= new TransferError('broken-zip', name, file.name, error.message)
      if (failure !== undefined) return
      bytes += data.length
      if (bytes > mostBytes) failure = new TransferError('too-large', file.name)
      parts.push(decoder.decode(data, { stream: !isLast }))
      if (isLast) ended++
    }
    file.start()
  })
  unzip.register(UnzipInflate)
  const reader = zip.stream().getReader()
  try {
    for (let read = await reader.read(); ; read = await reader.read()) {
      // In small steps, so that little is unpacked beyond what is allowed.
      const chunk = read.value ?? new Uint8Array()
      for (let start = 0; start < chunk.length && failure === undefined; start += 16_384)
        unzip.push(chunk.subarray(start, start + 16_384))
      if (failure !== undefined) throw failure
      if (read.done) break
    }
    unzip.push(new Uint8Array(), true)
  } catch (error) {
    if (error instanceof TransferError) throw error
    throw new TransferError('broken-zip', name, '', String(error))
  } finally {
    await reader.cancel().catch(() => {})
  }
  if (failure !== undefined) throw failure
  // A file that breaks off ends nowhere.
  if (ended < found) throw new TransferError('broken-zip', name)
  return new Map(Array.from(texts, ([file, parts]) => [file, parts.join('')]))
}
