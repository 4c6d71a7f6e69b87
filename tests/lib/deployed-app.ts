import { cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const built = join(import.meta.dirname, '../../apps/t69/dist')

/** A folder that a server serves the app from, and in which it is replaced as a deploy does. */
export interface DeployedApp extends AsyncDisposable {
  readonly folder: string
  /**
   * Replaces the app by a build of its own: with a script of another name and content, a chunk that no first screen
   * loads (`laterChunk`), and a service worker that lists both. The files of the build before are gone. Pages of it show
   * `version` in the `data-version` of their root.
   */
  deploy(version: string): Promise<void>
}

/** The path of a chunk that a page of that version loads when somebody asks for it. It exports its `version`. */
export const laterChunk = (version: string): string => `assets/later-${nameOf(version)}.js`

/** Eight characters, as the build names its files by their content. */
const nameOf = (version: string): string => version.replaceAll(' ', '_').padEnd(8, '_').slice(0, 8)

export async function deployedApp(): Promise<DeployedApp> {
  const folder = await mkdtemp(join(tmpdir(), 't69-deployed-'))
  await cp(built, folder, { recursive: true })
  const page = await readFile(join(folder, 'index.html'), 'utf8')
  let script = /<script type="module"[^>]* src="\.\/([^"]+)"/.exec(page)?.[1] ?? ''
  let later: string | undefined
  const content = await readFile(join(folder, script), 'utf8')

  async function replace(
    file: string,
    pairs: readonly (readonly [string | RegExp, string])[],
  ): Promise<void> {
    const path = join(folder, file)
    let text = await readFile(path, 'utf8')
    for (const [before, after] of pairs) {
      if (text.search(before) < 0) throw new Error(`${file} has no ${before}`)
      text = text.replace(before, after)
    }
    // At once, as a server may read it meanwhile.
    await writeFile(`${path}.next`, text)
    await rename(`${path}.next`, path)
    for (const ending of ['.br', '.gz']) await rm(path + ending, { force: true })
  }

  return {
    folder,
    async deploy(version) {
      const next = `assets/index-${nameOf(version)}.js`
      const text = JSON.stringify(version)
      await writeFile(join(folder, next), `document.documentElement.dataset.version = ${text}\n${content}`)
      await writeFile(join(folder, laterChunk(version)), `export const version = ${text}\n`)
      await replace('index.html', [[script, next]])
      await replace('sw.js', [
        [script, next],
        [/const version = "[^"]*"/, `const version = ${text}`],
        later === undefined
          ? [/const rest = \[/, `const rest = ["${laterChunk(version)}",`]
          : [later, laterChunk(version)],
      ])
      for (const gone of [script, later ?? script].filter((it) => it !== next && it !== laterChunk(version)))
        for (const ending of ['', '.br', '.gz']) await rm(join(folder, gone + ending), { force: true })
      script = next
      later = laterChunk(version)
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}
