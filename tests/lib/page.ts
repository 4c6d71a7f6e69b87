/**
 * What a story does with a page. Playwright's `Page` has all of it, under the same names, and so have the pages of
 * browsers that Playwright cannot drive (`engines/`): one way to use t69 serves every browser.
 */
export interface Page extends Finds<Locator> {
  goto(url: string): Promise<unknown>
  reload(): Promise<unknown>
}

export interface Finds<L> {
  locator(css: string): L
  getByTestId(id: string): L
}

/** Finds elements anew at each call. What acts on an element waits until it is there, and is the only one. */
export interface Locator extends LocatorOf<Locator> {}

/** A locator that makes locators of its own kind, so that a helper gives back what its page has: Playwright's have more. */
export interface LocatorOf<L> {
  getByTestId(id: string): L
  getByText(text: string, options: { exact: true }): L
  filter(options?: { has?: L }): L
  first(): L
  click(options?: { timeout?: number }): Promise<void>
  hover(): Promise<void>
  fill(text: string): Promise<void>
  press(key: string): Promise<void>
  selectOption(value: string): Promise<unknown>
  waitFor(options?: { state?: 'attached' | 'visible' | 'hidden'; timeout?: number }): Promise<void>
  count(): Promise<number>
  isVisible(): Promise<boolean>
  innerText(): Promise<string>
  allInnerTexts(): Promise<string[]>
  inputValue(): Promise<string>
  getAttribute(name: string): Promise<string | null>
  evaluateAll<R>(read: (elements: Element[]) => R): Promise<R>
}
