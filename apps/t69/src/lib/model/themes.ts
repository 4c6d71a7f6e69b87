/**
 * The themes of a space, by the names that t69 has stored since June 2025. The colours are our own: four numbers each, of
 * which app.css makes all colours, in OKLCH. The lightness is that of the colour, not of the theme, so text can be read in
 * all of them. What this device shows is stored in t69's table of spaces, and not synced.
 */
export interface Theme {
  /** The hue of what is nearly grey, in degrees. */
  readonly hue: number
  /** How much of that hue there is: 1 is a breath, 0 none. */
  readonly tint: number
  /** The hue of the accent, in degrees. */
  readonly accentHue: number
  /** How strong the accent is: OKLCH's chroma. */
  readonly accentChroma: number
}

export type ColorScheme = 'system' | 'light' | 'dark'

/** The theme of a space for which nobody has chosen one. */
export const plainTheme: Theme = { hue: 85, tint: 1, accentHue: 165, accentChroma: 0.09 }

function theme(hue: number, tint: number, accentHue: number, accentChroma: number): Theme {
  return { hue, tint, accentHue, accentChroma }
}

const themes: Readonly<Record<string, Theme>> = {
  catppuccin: theme(285, 1.6, 300, 0.14),
  cerberus: theme(270, 0.5, 262, 0.19),
  concord: theme(275, 1, 277, 0.2),
  crimson: theme(20, 0.4, 22, 0.18),
  fennec: theme(55, 1.6, 45, 0.13),
  hamlindigo: theme(265, 0.8, 268, 0.11),
  legacy: theme(255, 0.4, 158, 0.13),
  mint: theme(165, 1.2, 172, 0.1),
  modern: theme(300, 0.9, 350, 0.19),
  mona: theme(330, 0.7, 325, 0.14),
  nosh: theme(75, 1.3, 32, 0.15),
  nouveau: theme(240, 0.9, 232, 0.11),
  pine: theme(150, 1.4, 152, 0.08),
  reign: theme(300, 1.3, 303, 0.17),
  rocket: theme(240, 0.6, 215, 0.1),
  rose: theme(10, 1.3, 5, 0.16),
  sahara: theme(70, 2, 62, 0.11),
  seafoam: theme(185, 1.2, 190, 0.09),
  terminus: theme(130, 0.3, 142, 0.15),
  vintage: theme(80, 2.4, 78, 0.09),
  vox: theme(0, 0, 0, 0),
  wintry: theme(235, 1.4, 250, 0.12),
}

export const themeNames: readonly string[] = Object.keys(themes)

/** The theme of that name: the plain one for none, or for a name that this version does not know. */
export function themeNamed(name: string | null): Theme {
  return name !== null && Object.hasOwn(themes, name) ? (themes[name] ?? plainTheme) : plainTheme
}

/** The custom properties that make a theme: those of the page, or of an element of class `themed`. */
export function propertiesOf({
  hue,
  tint,
  accentHue,
  accentChroma,
}: Theme): Readonly<Record<string, string>> {
  return {
    '--hue': `${hue}`,
    '--tint': `${tint}`,
    '--accent-hue': `${accentHue}`,
    '--accent-chroma': `${accentChroma}`,
  }
}

export function styleOf(theme: Theme): string {
  return Object.entries(propertiesOf(theme))
    .map(([name, value]) => `${name}: ${value}`)
    .join('; ')
}

/** The colour of `--ground`, for what browsers show around the page. */
export function groundOf({ hue, tint }: Theme, scheme: 'light' | 'dark'): string {
  const [lightness, chroma] = scheme === 'light' ? [0.99, 0.003] : [0.205, 0.005]
  return `oklch(${lightness} ${Number((chroma * tint).toFixed(6))} ${hue})`
}
