import { groundOf, propertiesOf, themeNamed, type ColorScheme } from '../model/themes.ts'

/** What the page looks like: that of the space on screen. */
export interface Look {
  readonly colorScheme: ColorScheme
  /** The name of a theme; null is the plain one. */
  readonly theme: string | null
}

/** Shows the page in these colours, and notes them where public/theme.js finds them before the next page is painted. */
export function showLook({ colorScheme, theme }: Look): void {
  const root = document.documentElement
  const shown = themeNamed(theme)
  const properties = propertiesOf(shown)
  const around = { light: groundOf(shown, 'light'), dark: groundOf(shown, 'dark') }
  root.dataset['scheme'] = colorScheme
  for (const [name, value] of Object.entries(properties)) root.style.setProperty(name, value)
  for (const meta of document.querySelectorAll<HTMLMetaElement>('meta[name=theme-color]'))
    meta.content = meta.dataset['scheme'] === 'dark' ? around.dark : around.light
  try {
    localStorage.setItem('t69-color-scheme', colorScheme)
    localStorage.setItem('t69-theme', JSON.stringify({ properties, around }))
  } catch {
    // The browser refuses storage.
  }
}
