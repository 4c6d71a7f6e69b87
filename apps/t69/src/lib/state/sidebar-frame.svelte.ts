import { readSidebar, saveSidebar } from './device-storage.ts'

/** The width of the sidebar, in px. */
export const sidebarWidth = { narrowest: 200, usual: 280, widest: 560 } as const

/** The sidebar of a wide window, as this device keeps it: how wide it is, and whether it is closed. */
export class SidebarFrame {
  width = $state<number>(sidebarWidth.usual)
  isClosed = $state(false)

  async restore(): Promise<void> {
    const stored = await readSidebar()
    this.width = within(stored.width ?? sidebarWidth.usual)
    this.isClosed = stored.isClosed
  }

  /** `isDone` is false while it is still being dragged. */
  resize(width: number, isDone: boolean): void {
    this.width = within(width)
    if (isDone) this.#save()
  }

  close(isClosed: boolean): void {
    this.isClosed = isClosed
    this.#save()
  }

  #save(): void {
    void saveSidebar({ width: this.width, isClosed: this.isClosed })
  }
}

function within(width: number): number {
  return Math.round(Math.min(Math.max(width, sidebarWidth.narrowest), sidebarWidth.widest))
}
