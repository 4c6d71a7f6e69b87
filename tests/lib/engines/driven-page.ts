import { setTimeout as pause } from 'node:timers/promises'

import type { Locator, Page } from '../page.ts'
import { aim, find, wasMet, type Step } from './find.ts'
import type { Key, Point, Tab } from './tab.ts'
import { readErrors } from './watched-app.ts'

/** How long a locator waits for its element, in ms: as long as those of Playwright's pages do here. */
const patienceMs = 45_000
/** How often it looks, in ms. */
const lookEveryMs = 50

/** A page of a browser that Playwright does not drive. */
export interface DrivenPage extends Page {
  evaluate<R, A extends readonly unknown[]>(read: (...args: A) => R | Promise<R>, ...args: A): Promise<R>
  picture(): Promise<Uint8Array>
  /** What the watched app noted in this tab. */
  errors(): Promise<readonly string[]>
  close(): Promise<void>
}

const keys: readonly string[] = ['Enter', 'Escape', 'Backspace'] satisfies Key[]
const isKey = (key: string): key is Key => keys.includes(key)

export function createDrivenPage(tab: Tab): DrivenPage {
  /** What was noted until the tab was closed. */
  let last: string[] | undefined
  const evaluate = async <R, A extends readonly unknown[]>(
    read: (...args: A) => R | Promise<R>,
    ...args: A
  ) => (await tab.run(String(read), args)) as R

  /** Runs `use` in the page with the elements that the steps find. */
  async function withFound<R, A extends readonly unknown[]>(
    steps: readonly Step[],
    use: (elements: Element[], ...args: A) => R,
    ...args: A
  ): Promise<R> {
    const source = `function (steps, args) { ${String(find)}; return (${String(use)})(find(steps), ...args) }`
    return (await tab.run(source, [steps, args])) as R
  }

  /** Looks until `look` gives something. `undefined` and what it throws meanwhile, as a page that is loading, is not it. */
  async function until<T>(
    what: string,
    look: () => Promise<T | undefined>,
    timeout = patienceMs,
  ): Promise<T> {
    const end = performance.now() + timeout
    for (let reason: unknown = ''; ;) {
      try {
        const seen = await look()
        if (seen !== undefined) return seen
      } catch (error) {
        reason = error
      }
      if (performance.now() > end) throw new Error(`waited ${timeout} ms for ${what}: ${String(reason)}`)
      await pause(lookEveryMs)
    }
  }

  function locate(steps: readonly Step[]): Locator & { readonly steps: readonly Step[] } {
    const name = steps.map((step) => JSON.stringify(step)).join(' ')
    const and = (step: Step) => locate([...steps, step])
    async function look(guards: boolean): Promise<Point> {
      const seen = await withFound(steps, aim, guards)
      if (typeof seen === 'string') throw new Error(seen)
      return seen
    }
    /** Waits until a person could use the element, and says where it is. */
    async function reach(): Promise<Point> {
      await tab.toFront()
      return await until(name, () => look(false))
    }
    /** Runs `use` with the element, once it is there: with a list of one, since the page gets the source of `use`. */
    const read = async <R, A extends readonly unknown[]>(
      use: (one: Element[], ...args: A) => R,
      ...args: A
    ) => {
      await until(name, async () => ((await withFound(steps, (all) => all.length)) === 1 ? true : undefined))
      return await withFound([...steps, { at: 0 }], use, ...args)
    }
    const count = () => withFound(steps, (all) => all.length)
    const visible = () =>
      withFound(steps, (all) => all.filter((one) => one.checkVisibility({ visibilityProperty: true })).length)

    return {
      steps,
      getByTestId: (id) => and({ css: `[data-testid="${id}"]` }),
      getByText: (text) => and({ text }),
      filter: (options) => (options?.has === undefined ? locate(steps) : and({ has: stepsOf(options.has) })),
      first: () => and({ at: 0 }),
      async click(options) {
        await tab.toFront()
        const click = async (): Promise<true | undefined> => {
          await tab.clickAt(await look(true))
          // A page that is gone was met.
          return (await evaluate(wasMet).catch(() => true)) ? true : undefined
        }
        await until(name, click, options?.timeout)
      },
      async hover() {
        await tab.moveTo(await reach())
      },
      async fill(text) {
        await reach()
        await read(([field]) => {
          if (!(field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement))
            throw new TypeError('it is not a field')
          field.focus()
          field.select()
        })
        if (text === '') await tab.press('Backspace')
        else await tab.type(text)
      },
      async press(key) {
        if (!isKey(key)) throw new Error(`no key is called ${key}`)
        await reach()
        await read(([element]) => (element instanceof HTMLElement ? element.focus() : undefined))
        await tab.press(key)
      },
      async selectOption(value) {
        await reach()
        await read(([element], wanted) => {
          if (!(element instanceof HTMLSelectElement)) throw new TypeError('it has no options')
          element.value = wanted
          for (const type of ['input', 'change']) element.dispatchEvent(new Event(type, { bubbles: true }))
        }, value)
      },
      async waitFor({ state = 'visible', timeout } = {}) {
        const isWanted = async (): Promise<boolean> => {
          if (state === 'attached') return (await count()) > 0
          return state === 'visible' ? (await visible()) > 0 : (await visible()) === 0
        }
        await until(`${name} to be ${state}`, async () => ((await isWanted()) ? true : undefined), timeout)
      },
      count,
      isVisible: async () => (await visible()) > 0,
      innerText: () => read(([element]) => (element instanceof HTMLElement ? element.innerText : '')),
      allInnerTexts: () =>
        withFound(steps, (all) => all.map((one) => (one instanceof HTMLElement ? one.innerText : ''))),
      inputValue: () =>
        read(([field]) =>
          field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement ? field.value : '',
        ),
      getAttribute: (attribute) =>
        read(([element], asked) => element?.getAttribute(asked) ?? null, attribute),
      evaluateAll: (use) => withFound(steps, use),
    }
  }

  return {
    goto: (url) => tab.goto(url),
    reload: () => tab.reload(),
    locator: (css) => locate([{ css }]),
    getByTestId: (id) => locate([{ css: `[data-testid="${id}"]` }]),
    evaluate,
    picture: () => tab.picture(),
    errors: async () => last ?? (await evaluate(readErrors)),
    async close() {
      last = await evaluate(readErrors)
      await tab.close()
    },
  }
}

function stepsOf(locator: Locator): readonly Step[] {
  if ('steps' in locator && Array.isArray(locator.steps)) return locator.steps
  throw new Error('it is a locator of another browser')
}
