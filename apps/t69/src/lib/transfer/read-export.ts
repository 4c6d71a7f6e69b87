import { chatGptChats, isChatGpt } from './chatgpt.ts'
import { treesOfChats } from './imported-chat.ts'
import type { ImportedSpace } from './imported-space.ts'
import { isOpenWebUi, openWebUiChats } from './open-webui.ts'
import { importedSpaceOf, isSpaceFile, spaceFileName } from './space-file.ts'
import { isT69Database, spacesOfDatabase } from './t69-database.ts'
import { TransferError } from './transfer-error.ts'
import { maxUnpackedBytes, unzipTexts } from './unzip.ts'

/** The files of a zip that may be exports. ChatGPT writes long histories in several files. */
const inZip = /(?:^|\/)(?:conversations(?:-\d+)?|space|localDb|chat-export-\d+)\.json$/

/**
 * Reads an export of t69, ChatGPT or Open WebUI, or a t69 database: a zip or its JSON. Throws a `TransferError`; what is
 * wrong with a single chat, when its tree is asked for.
 */
export async function readExport(file: Blob, name: string): Promise<ImportedSpace[]> {
  const texts = (await isZip(file))
    ? await unzipTexts(file, name, (path) => inZip.test(path))
    : new Map([[name, await plainText(file, name)]])
  if (texts.size === 0) throw new TransferError('unknown', name)
  const values = Array.from(texts)
    .toSorted(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
    .map(([path, text]) => ({ path, value: parse(text, path) }))
  const spaces = spacesOf(values, name)
  if (spaces.every(({ chats }) => chats === 0)) throw new TransferError('empty', name)
  return spaces
}

interface ReadFile {
  readonly path: string
  readonly value: unknown
}

function spacesOf(files: readonly ReadFile[], name: string): ImportedSpace[] {
  const own = files.find(({ path, value }) => isSpaceFile(value) || path === spaceFileName)
  if (own !== undefined) {
    if (!isSpaceFile(own.value)) throw new TransferError('unknown', name)
    return [importedSpaceOf(own.value, own.path)]
  }
  const database = files.find(({ value }) => isT69Database(value))
  if (database !== undefined) return spacesOfDatabase(database.value, database.path)
  const lists = files.flatMap(({ path, value }) => (Array.isArray(value) ? { path, value } : []))
  const count = lists.reduce((sum, { value }) => sum + value.length, 0)
  if (count === 0 && lists.length > 0) throw new TransferError('empty', name)
  if (lists.some(({ value }) => isChatGpt(value)))
    return [{ name: 'ChatGPT', chats: count, trees: treesOfChats(each(lists, chatGptChats)) }]
  if (lists.some(({ value }) => isOpenWebUi(value)))
    return [{ name: 'Open WebUI', chats: count, trees: treesOfChats(each(lists, openWebUiChats)) }]
  throw new TransferError('unknown', name)
}

function* each<T>(
  lists: readonly { path: string; value: readonly unknown[] }[],
  read: (list: readonly unknown[], file: string) => Iterable<T>,
): Generator<T> {
  for (const { path, value } of lists) yield* read(value, path)
}

async function isZip(file: Blob): Promise<boolean> {
  const [p, k] = new Uint8Array(await file.slice(0, 2).arrayBuffer())
  return p === 0x50 && k === 0x4b
}

async function plainText(file: Blob, name: string): Promise<string> {
  if (file.size > maxUnpackedBytes) throw new TransferError('too-large', name)
  return file.text()
}

function parse(text: string, file: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new TransferError('unreadable', file, '', String(error))
  }
}
