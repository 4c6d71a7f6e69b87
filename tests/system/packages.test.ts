import { execFile } from 'node:child_process'
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

/** The packages as somebody meets them who installs them. They are packed as they were built: `pnpm build` first. */

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')
const packages = join(root, 'packages')

/** The names between the braces of an import or export, without `type`. */
const namesIn = (list: string): string[] =>
  list
    .split(',')
    .map((name) => name.trim().replace(/^type /, ''))
    .filter((name) => name !== '')

function namesOf(source: string, pattern: RegExp): string[] {
  return Array.from(source.matchAll(pattern), ([, list = '']) => namesIn(list)).flat()
}

describe('@t69/sync-client', () => {
  test('exports every type of the packages below that its own API names', () => {
    const read = (file: string): string => readFileSync(join(packages, 'sync-client/src', file), 'utf8')
    const below = /import (?:type )?\{([^}]*)\} from '@t69\/(?:protocol|replica)'/g
    const named = ['api.ts', 'client/options.ts'].flatMap((file) => namesOf(read(file), below))
    const exported = new Set(namesOf(read('index.ts'), /export (?:type )?\{([^}]*)\} from '@t69\/\w+'/g))
    expect(named.length).toBeGreaterThan(10)
    expect(named.filter((name) => !exported.has(name))).toEqual([])
    // A refused call throws one, and its code is one of these.
    expect(exported).toContain('SyncError')
    expect(exported).toContain('errorCodes')
    expect(exported).toContain('ErrorCode')
  })
})

interface Manifest {
  readonly name: string
  readonly bin?: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly dependencies: Readonly<Record<string, string>>
}

interface Installed {
  readonly folder: string
  readonly manifest: Manifest
}

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'))

/** Packs a package, and installs it below `app`: what it depends on is linked from where this repository has it. */
async function install(app: string, source: string): Promise<Installed> {
  const { packageManager } = readJson(join(root, 'package.json')) as { packageManager: string }
  const tarballs = mkdtempSync(join(app, 'tarballs-'))
  await run('npx', ['--yes', packageManager, 'pack', '--pack-destination', tarballs], { cwd: source })
  const [tarball = ''] = readdirSync(tarballs)
  const folder = join(app, 'node_modules/@t69', basename(source))
  mkdirSync(folder, { recursive: true })
  await run('tar', ['xzf', join(tarballs, tarball), '-C', folder, '--strip-components=1'])
  const manifest = readJson(join(folder, 'package.json')) as Manifest
  for (const name of Object.keys(manifest.dependencies)) {
    if (name.startsWith('@t69/')) continue
    const link = join(folder, 'node_modules', name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(realpathSync(join(source, 'node_modules', name)), link)
  }
  return { folder, manifest }
}

describe('The packed packages', () => {
  let app: string
  const installed: Installed[] = []
  beforeAll(async () => {
    app = mkdtempSync(join(tmpdir(), 't69-packed-'))
    const sources = globSync('*/package.json', { cwd: packages }).map((path) => join(packages, dirname(path)))
    // One after the other: several npx at once, all of which have to fetch pnpm first, get in each other's way.
    for (const source of sources) installed.push(await install(app, source))
  })
  afterAll(() => rmSync(app, { recursive: true, force: true }))

  /** `@t69/protocol` and the others, as an import names them. */
  const entries = (): string[] =>
    installed.flatMap(({ manifest: { name, exports } }) =>
      Object.keys(exports).map((path) => name + path.slice(1)),
    )

  test('have every file that their exports and commands name, and none of TypeScript that Node would have to run', () => {
    expect(installed.map(({ manifest }) => manifest.name)).toContain('@t69/sync-client')
    const wrong = installed.flatMap(({ folder, manifest }) =>
      [...Object.values(manifest.exports), manifest.bin ?? {}]
        .flatMap((targets) => Object.values(targets))
        .filter((target) => !existsSync(join(folder, target)) || /(?<!\.d)\.ts$/.test(target))
        .map((target) => `${manifest.name}: ${target}`),
    )
    expect(wrong).toEqual([])
  })

  test('have neither tests nor what only tests need', () => {
    const files = installed.flatMap(({ folder }) =>
      globSync('{dist,src}/**', { cwd: folder }).filter((file) =>
        /\/testing(\/|$)|\.(test|contract)\./.test(file),
      ),
    )
    expect(files).toEqual([])
  })

  test('can each be imported in Node by every entry', async () => {
    const names = entries()
    const source = names.map((name) => `await import('${name}')`).join('\n')
    writeFileSync(join(app, 'imports.mjs'), `${source}\nconsole.log('imported')\n`)
    const { stdout } = await run(process.execPath, ['imports.mjs'], { cwd: app })
    expect(stdout).toBe('imported\n')
    expect(names.length).toBeGreaterThan(3)
  })

  test('have threads that load no packages but better-sqlite3', () => {
    const server = installed.find(({ manifest }) => manifest.name === '@t69/server')?.folder ?? ''
    const threads = globSync('dist/*/*-thread.js', { cwd: server })
    const loaded = threads.flatMap((thread) =>
      Array.from(
        readFileSync(join(server, thread), 'utf8').matchAll(/^import .*?["']([^"']+)["'];?$/gm),
        ([, name = '']) => name,
      ),
    )
    expect(threads).toHaveLength(3)
    expect(new Set(loaded.filter((name) => !name.startsWith('node:')))).toEqual(new Set(['better-sqlite3']))
  })

  test('have the types of every entry', async () => {
    const source = entries().map((name, index) => `export type * as entry${index} from '${name}'`)
    writeFileSync(join(app, 'types.mts'), source.join('\n'))
    const flags = ['--strict', '--noEmit', '--skipLibCheck', '--module', 'nodenext', '--types', '']
    const { stdout } = await run(join(root, 'node_modules/.bin/tsc'), [...flags, 'types.mts'], {
      cwd: app,
    }).catch((failed: { stdout: string }) => failed)
    expect(stdout).toBe('')
  })
})
