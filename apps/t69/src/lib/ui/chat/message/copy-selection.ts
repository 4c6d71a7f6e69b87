/**
 * What copying a selection of messages gives to places that take text only: browsers drop what tells a list from
 * a paragraph. Lists keep their marks, quotes their bars, tables their columns (by tabs, as spreadsheets take them), code
 * its lines, and formulas are TeX. Places that take HTML get what the reader sees, without buttons.
 */

/** What is not part of what a message says. */
const controls = 'button, svg, footer, .block > header, details:not([open]), .unseen'

/** Handles the copying of more than a piece of one paragraph. */
export function copySelection(event: ClipboardEvent): void {
  const selection = getSelection()
  if (selection === null || selection.rangeCount === 0 || event.clipboardData === null) return
  const range = selection.getRangeAt(0)
  const around = range.commonAncestorContainer
  const element = around instanceof Element ? around : around.parentElement
  // A field copies what is selected in it, and a piece of a paragraph or of code is text already.
  if (element === null || element.closest('p, pre, h3, h4, h5, h6, td, th, input, textarea') !== null) return
  const copied = document.createElement('div')
  copied.append(range.cloneContents())
  for (const control of copied.querySelectorAll(controls)) control.remove()
  // Part of a list is still a list.
  if (element.matches('ul, ol')) copied.replaceChildren(listAround(element, copied, range))
  event.clipboardData.setData('text/plain', textOfBlocks(copied).trim())
  event.clipboardData.setData('text/html', copied.innerHTML)
  event.preventDefault()
}

/** The items of a list that are selected, with the numbers that they have in it. */
function listAround(list: Element, content: HTMLElement, { startContainer, startOffset }: Range): Node {
  const copy = list.cloneNode(false)
  if (!(copy instanceof HTMLElement)) return content
  copy.append(...content.childNodes)
  const items = Array.from(list.children)
  const first =
    startContainer === list ? startOffset : items.findIndex((item) => item.contains(startContainer))
  if (copy instanceof HTMLOListElement) copy.start += Math.max(0, first)
  return copy
}

/** The text of what may hold blocks, with an empty line between two of them. */
function textOfBlocks(parent: Node): string {
  const parts: string[] = []
  let line = ''
  for (const node of parent.childNodes) {
    const block = node instanceof HTMLElement ? blockText(node) : undefined
    if (block === undefined) line += inlineText(node)
    else {
      if (line.trim() !== '') parts.push(line.trim())
      line = ''
      if (block.trim() !== '') parts.push(block)
    }
  }
  if (line.trim() !== '') parts.push(line.trim())
  return parts.join('\n\n')
}

/** Undefined for what stands in a line. */
function blockText(element: HTMLElement): string | undefined {
  switch (element.localName) {
    case 'p':
    case 'h3':
    case 'h4':
    case 'h5':
    case 'h6':
    case 'header':
      return inlineText(element).trim()
    case 'pre':
      return element.textContent.replace(/\n$/, '')
    case 'hr':
      return '---'
    case 'ul':
    case 'ol':
      return listText(element)
    case 'blockquote':
      return prefixed(textOfBlocks(element), '> ', '> ')
    case 'table':
      return Array.from(element.querySelectorAll('tr'), rowText).join('\n')
    case 'article':
    case 'div':
    case 'details':
      return textOfBlocks(element)
    default:
      return undefined
  }
}

function listText(list: HTMLElement): string {
  const first = list instanceof HTMLOListElement ? list.start : 1
  const items = Array.from(list.children, (item, index) => {
    const mark = list.localName === 'ol' ? `${first + index}. ` : '- '
    const box = item.querySelector(':scope > input')
    const task = box instanceof HTMLInputElement ? (box.checked ? '[x] ' : '[ ] ') : ''
    const text = textOfBlocks(item).replaceAll(/\n\n(?=\s*(?:[-\d]|$))/g, '\n')
    return prefixed(text, mark + task, ' '.repeat(mark.length))
  })
  return items.join('\n')
}

function rowText(row: HTMLElement): string {
  return Array.from(row.children, (cell) => inlineText(cell).trim().replaceAll(/\s+/g, ' ')).join('\t')
}

function inlineText(node: Node): string {
  if (node instanceof Text) return node.data
  if (!(node instanceof Element)) return ''
  if (node.localName === 'br') return '\n'
  if (node.classList.contains('katex')) return node.querySelector('annotation')?.textContent ?? ''
  return Array.from(node.childNodes, inlineText).join('')
}

function prefixed(text: string, first: string, others: string): string {
  return text
    .split('\n')
    .map((line, index) => (index === 0 ? first : line === '' ? '' : others) + line)
    .join('\n')
}
