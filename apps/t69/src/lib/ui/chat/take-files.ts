import { limits } from '@t69/protocol'

import { hasFiles } from '../parts/keep-page.ts'

/**
 * An attachment that puts what is in files of text into a textarea, where they are dropped on it or pasted. `refuse` is told why
 * one of them is not.
 *
 *     <textarea {@attach takeFiles((why) => show(why))}></textarea>
 */
export function takeFiles(refuse: (why: string) => void): (area: HTMLTextAreaElement) => () => void {
  return (area) => {
    const left = new AbortController()
    const { signal } = left

    const canTake = (data: DataTransfer | null): data is DataTransfer =>
      hasFiles(data) && !area.readOnly && !area.disabled

    function over(event: DragEvent): void {
      if (!canTake(event.dataTransfer)) return
      event.preventDefault()
      event.dataTransfer.dropEffect = 'copy'
    }

    function take(event: Event, data: DataTransfer | null): void {
      if (!canTake(data)) return
      const text = textBeside(data)
      event.preventDefault()
      if (text === '') void insertAll([...data.files])
      else insert(text)
    }

    async function insertAll(files: readonly File[]): Promise<void> {
      const texts: string[] = []
      for (const file of files) {
        const text = await textOf(file)
        if (text === null) refuse(`“${file.name}” is no text, and a message holds nothing else.`)
        else if (text === undefined) refuse(`“${file.name}” is longer than a message can be.`)
        else texts.push(text)
      }
      if (texts.length > 0 && !signal.aborted) insert(texts.join('\n'))
    }

    function insert(text: string): void {
      area.focus()
      // Nothing else leaves the browser's own undo as it is. Chromium and WebKit insert a text line by line, and take a minute
      // for a few thousand, but HTML at once. Firefox refuses HTML in a textarea, and inserts the text at once.
      // oxlint-disable typescript/no-deprecated
      if (!document.execCommand('insertHTML', false, htmlOf(text)))
        document.execCommand('insertText', false, text)
      // oxlint-enable typescript/no-deprecated
    }

    area.addEventListener('dragover', over, { signal })
    area.addEventListener('drop', (event) => take(event, event.dataTransfer), { signal })
    area.addEventListener('paste', (event) => take(event, event.clipboardData), { signal })
    return () => left.abort()
  }
}

/**
 * The text that comes with files and is what is meant: a cell of a spreadsheet is copied as its text and as a picture of it, and a
 * picture of a page is dragged with its address. Empty if there is none, or only the names of the files, as on macOS.
 */
function textBeside(data: DataTransfer): string {
  const text = withPlainLines(data.getData('text/plain'))
  return text === Array.from(data.files, ({ name }) => name).join('\n') ? '' : text
}

/** HTML that a textarea takes as the text. A line's end that is last in it counts only if something follows. */
function htmlOf(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replace(/\n$/, '\n<br>')
}

/** Null if the file is no text, or cannot be read, as a folder cannot; undefined if it is too long. */
async function textOf(file: File): Promise<string | null | undefined> {
  if (file.size > limits.maxValueBytes) return undefined
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer())
    return text.includes('\0') ? null : withPlainLines(text)
  } catch {
    return null
  }
}

function withPlainLines(text: string): string {
  return text.replaceAll(/\r\n?/g, '\n')
}
