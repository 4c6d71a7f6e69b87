import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

import type { HtmlTagDescriptor, Plugin, Rollup } from 'vite'

/** The files of the build that the first screen needs, by their paths in it. */
export interface FirstLoad {
  readonly scripts: readonly string[]
  readonly styles: readonly string[]
  /** The chunks of each language, one of which is needed as well. */
  readonly byLocale: Readonly<Record<string, readonly string[]>>
}

/** Modules that the first screen imports with `import()`: everything that they need is part of the first load. */
export const firstModules: readonly RegExp[] = [/\/src\/start\.ts$/, /\/storage\/indexeddb\/index\.ts$/]
/** What the first screen says in a language, as wuchale compiles it. */
const language = /\/\.wuchale\/texts\.first\.(\w+)\.compiled\.js$/
/** Scripts of public/ that the page runs before its first paint, in this order. The build makes one file of them. */
const headScripts = ['take-invite.js', 'theme.js']
const inPage = headScripts.map((name) => `<script src="./${name}"></script>`)

/** Reads from the build what the first screen needs, or what the modules do that are given. */
export function firstLoadOf(bundle: Rollup.OutputBundle, modules = firstModules): FirstLoad {
  const chunks = Object.values(bundle).filter((file) => file.type === 'chunk')
  const scripts = new Set<string>()
  const styles = new Set<string>()
  const byLocale: Record<string, string[]> = {}
  function add(chunk: Rollup.OutputChunk): void {
    if (scripts.has(chunk.fileName)) return
    scripts.add(chunk.fileName)
    for (const style of chunk.viteMetadata?.importedCss ?? []) styles.add(style)
    for (const name of chunk.imports) {
      const imported = bundle[name]
      if (imported?.type === 'chunk') add(imported)
    }
  }
  for (const chunk of chunks) {
    // A chunk whose module is in another one has only what it stands for.
    const ids = [...chunk.moduleIds, chunk.facadeModuleId ?? '']
    const isFirst = ids.some((id) => modules.some((pattern) => pattern.test(id)))
    if (chunk.isEntry || isFirst) add(chunk)
    const locale = chunk.moduleIds.map((id) => language.exec(id)?.[1]).find((it) => it !== undefined)
    if (locale !== undefined) (byLocale[locale] ??= []).push(chunk.fileName)
  }
  return { scripts: [...scripts], styles: [...styles], byLocale }
}

/**
 * The path of the script that the page runs before its first paint: it changes with the content, so that versions never
 * mix.
 */
export function headScriptOf(first: FirstLoad): string {
  return `head.js?v=${createHash('sha256').update(headScript(first)).digest('hex').slice(0, 8)}`
}

/**
 * Lets the page ask for everything that its first screen needs at once, where each script would else be asked for by
 * the one before: the scripts and styles of what main.ts imports later, and the chunk of the language, which a script
 * finds out. See `chosenLocale` of src/lib/state/locale.ts.
 */
export function firstLoad(): Plugin {
  return {
    name: 't69-first-load',
    apply: 'build',
    transformIndexHtml: {
      order: 'post',
      handler(html, { bundle }) {
        if (bundle === undefined) return html
        const first = firstLoadOf(bundle)
        const tags: HtmlTagDescriptor[] = [
          // A browser speaks with a server in six requests at a time: first what the first paint waits for, then the largest.
          ...first.styles.map((path): HtmlTagDescriptor => ({
            tag: 'link',
            attrs: { rel: 'stylesheet', crossorigin: true, href: `./${path}` },
            injectTo: 'head',
          })),
          ...first.scripts
            .filter((path) => !html.includes(`src="./${path}"`))
            .toSorted((a, b) => sizeIn(bundle, b) - sizeIn(bundle, a))
            .map((path): HtmlTagDescriptor => ({
              tag: 'link',
              attrs: { rel: 'modulepreload', crossorigin: true, href: `./${path}` },
              injectTo: 'head',
            })),
        ]
        const [head = '', ...others] = inPage
        const named = others
          .reduce((page, script) => page.replace(`    ${script}\n`, ''), html)
          // Vite's own, in an order of theirs.
          .replaceAll(/ *<link rel="(?:modulepreload|stylesheet)" [^>]*>\n/g, '')
          .replace(head, `<script src="./${headScriptOf(first)}"></script>`)
        return { html: named, tags }
      },
    },
    generateBundle(_options, bundle) {
      this.emitFile({ type: 'asset', fileName: 'head.js', source: headScript(firstLoadOf(bundle)) })
    },
  }
}

function sizeIn(bundle: Rollup.OutputBundle, path: string): number {
  const file = bundle[path]
  return file?.type === 'chunk' ? file.code.length : 0
}

/** One file: each more would cost a journey to the server and back before the first paint. */
function headScript(first: FirstLoad): string {
  const written = headScripts.map((name) =>
    readFileSync(new URL(`./public/${name}`, import.meta.url), 'utf8'),
  )
  return [...written, languageScript(first)].join('')
}

/** A script without imports, since modules wait for the page: it chooses as `chosenLocale` does. */
function languageScript({ byLocale }: FirstLoad): string {
  return `{
  const chunks = ${JSON.stringify(byLocale)}
  let saved = null
  try {
    saved = localStorage.getItem('t69-locale')
  } catch {}
  const spoken = navigator.languages.map((language) => language.split('-')[0])
  const locale = [saved, ...spoken, 'en'].find((it) => it !== null && Object.hasOwn(chunks, it))
  for (const path of chunks[locale] ?? []) {
    const link = document.createElement('link')
    Object.assign(link, { rel: 'modulepreload', crossOrigin: '', href: path })
    document.head.append(link)
  }
}
`
}
