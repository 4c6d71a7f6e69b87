import type { Plugin } from 'vite'

/** Files of src/ that are loaded once the first screen is there, by `withTexts` of src/lib/ui/parts/with-texts.ts. */
const later =
  /(?:^|\/)src\/lib\/(?:ui\/(?:dialogs|admin|palette|parts\/confirming)\/(?!OpenDialog\.svelte)|transfer\/|model\/(?:refusal-text|rejected-edits|lost-account-text|registration-text|new-password)\.ts)/

/**
 * The catalog with what a file says: what only dialogs say is not loaded with the first screen. wuchale makes a module of
 * each catalog for each language.
 */
export function catalogOf(file: string): 'first' | 'later' {
  return later.test(file) ? 'later' : 'first'
}

/** Refuses a build in which a screen could come before its texts: one that is imported by what `withTexts` does not load. */
export function laterTexts(): Plugin {
  return {
    name: 't69-later-texts',
    apply: 'build',
    buildEnd() {
      for (const id of this.getModuleIds()) {
        const info = this.getModuleInfo(id)
        if (catalogOf(id) === 'first' || info?.code?.includes('texts.loader') !== true) continue
        const early = info.importers.find((importer) => catalogOf(importer) === 'first')
        if (early !== undefined)
          this.error(`${early} imports ${id}, whose texts are loaded later: see \`later\` in later-texts.ts`)
      }
    },
  }
}
