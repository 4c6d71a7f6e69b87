/** What browsers call the files among what is dragged or pasted. */
const type = 'Files'

export function hasFiles(data: DataTransfer | null): data is DataTransfer {
  return data?.types.includes(type) ?? false
}

/** A page that lets a file be dropped beside a field is left for that file. Handles `dragover` and `drop` of the window. */
export function keepPage(event: DragEvent): void {
  const { dataTransfer, target } = event
  if (event.defaultPrevented || !hasFiles(dataTransfer)) return
  if (target instanceof HTMLInputElement && target.type === 'file') return
  event.preventDefault()
  dataTransfer.dropEffect = 'none'
}
