/** A tab, as its browser's own protocol drives it. Points are in CSS pixels of the viewport; input is as from a person. */
export interface Tab {
  goto(url: string): Promise<void>
  reload(): Promise<void>
  /** Runs the source of a function in the page. Its arguments and its result, which it may promise, are JSON. */
  run(source: string, args: readonly unknown[]): Promise<unknown>
  /** Puts the tab in front of the others: the ones behind have no keyboard, and show nothing. */
  toFront(): Promise<void>
  moveTo(point: Point): Promise<void>
  clickAt(point: Point): Promise<void>
  /** Types into the field that has the focus. */
  type(text: string): Promise<void>
  press(key: Key): Promise<void>
  /** A picture of the page, as PNG. */
  picture(): Promise<Uint8Array>
  close(): Promise<void>
}

export interface Point {
  readonly x: number
  readonly y: number
}

export type Key = 'Enter' | 'Escape' | 'Backspace'
