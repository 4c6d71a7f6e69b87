/** The longest formula that is set, in UTF-16 code units. */
const longest = 4_000

type SetFormula = (tex: string, isDisplayed: boolean) => string | null

let setFormula = $state.raw<SetFormula>()
let loading: Promise<void> | undefined

/** Sets formulas, once what does it is loaded: with the first formula on screen. */
export const typesetter = {
  /** HTML without anything that acts or loads. Null as long as there is none, and for what is not TeX. */
  set(tex: string, isDisplayed: boolean): string | null {
    if (tex.length > longest) return null
    loading ??= load()
    return setFormula?.(tex, isDisplayed) ?? null
  },
}

async function load(): Promise<void> {
  try {
    const [{ default: katex }] = await Promise.all([import('katex'), import('katex/dist/katex.min.css')])
    setFormula = (tex, isDisplayed) => {
      try {
        const isSafe = { trust: false, maxExpand: 200, maxSize: 20, strict: 'ignore' } as const
        return katex.renderToString(tex, { displayMode: isDisplayed, throwOnError: true, ...isSafe })
      } catch {
        return null
      }
    }
  } catch {
    // Without a network. The next formula asks again.
    loading = undefined
  }
}
