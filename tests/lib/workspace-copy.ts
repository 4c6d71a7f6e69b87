import { execFile } from 'node:child_process'
import { globSync, lstatSync, readFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, relative } from 'node:path'
import { promisify } from 'node:util'

const root = join(import.meta.dirname, '../..')
const members = [
  'packages/protocol',
  'packages/replica',
  'packages/sync-client',
  'packages/server',
  'apps/t69',
  'tests',
]

/** One change of a file, found by a text that occurs once in `within`: a file, or the sources of a folder. */
export interface Edit {
  readonly within: string
  readonly find: string
  readonly replace: string
}

/** The sources of this repository in a temporary folder, to be changed and compiled there. */
export interface WorkspaceCopy extends AsyncDisposable {
  /** Type-checks a package with these edits, and undoes them. Returns the files with errors, each once. */
  check(project: string, edits: readonly Edit[]): Promise<string[]>
}

const run = promisify(execFile)

/**
 * Copies the sources of every package, and links what they have installed, so that packages find each other's
 * copies and nothing in the repository is written.
 */
export async function copyWorkspace(): Promise<WorkspaceCopy> {
  const copy = await mkdtemp(join(tmpdir(), 't69-copy-'))
  await cp(join(root, 'tsconfig.base.json'), join(copy, 'tsconfig.base.json'))
  for (const member of members) {
    await cp(join(root, member), join(copy, member), { recursive: true, filter: isSource })
    await linkModules(join(root, member, 'node_modules'), join(copy, member, 'node_modules'), copy)
  }
  await linkModules(join(root, 'node_modules'), join(copy, 'node_modules'), copy)

  function fileWith({ within, find }: Edit): string {
    const files = within.endsWith('.ts') ? [within] : globSync(`${within}/**/*.{ts,svelte}`, { cwd: copy })
    const found = files.filter(
      (file) => !file.includes('.test.') && readFileSync(join(copy, file), 'utf8').split(find).length === 2,
    )
    const [file] = found
    if (file === undefined || found.length > 1) {
      throw new Error(`In ${within}, ${found.length} files have the text once, not 1: ${find}`)
    }
    return file
  }

  return {
    async check(project, edits) {
      const before = new Map<string, string>()
      try {
        for (const edit of edits) {
          const file = join(copy, fileWith(edit))
          const text = readFileSync(file, 'utf8')
          if (!before.has(file)) before.set(file, text)
          await writeFile(
            file,
            text.replace(edit.find, () => edit.replace),
          )
        }
        return await filesWithErrors(copy, project)
      } finally {
        for (const [file, text] of before) await writeFile(file, text)
      }
    },
    [Symbol.asyncDispose]: () => rm(copy, { recursive: true, force: true }),
  }
}

function isSource(path: string): boolean {
  return (
    !['node_modules', 'dist', '.svelte-kit'].includes(basename(path)) && !lstatSync(path).isSymbolicLink()
  )
}

/** Links everything that is installed in `from`. This repository's own packages are linked to their copies. */
async function linkModules(from: string, to: string, copy: string): Promise<void> {
  await mkdir(to, { recursive: true })
  for (const name of await readdir(from)) {
    if (name !== '@t69') {
      await symlink(join(from, name), join(to, name))
      continue
    }
    await mkdir(join(to, name))
    for (const own of await readdir(join(from, name))) {
      const member = members.find((it) => basename(it) === (own === 'app' ? 't69' : own))
      if (member !== undefined) await symlink(join(copy, member), join(to, name, own))
    }
  }
}

/** Compiles a package. The app needs svelte-check for its .svelte files; tsc is several times faster for the others. */
async function filesWithErrors(copy: string, project: string): Promise<string[]> {
  const isApp = project.startsWith('apps/')
  const bin = join(copy, isApp ? project : '.', 'node_modules/.bin', isApp ? 'svelte-check' : 'tsc')
  const args = isApp
    ? ['--tsconfig', './tsconfig.json', '--output', 'machine']
    : ['--noEmit', '--pretty', 'false', '-p', '.']
  const cwd = join(copy, project)
  const output = await run(bin, args, { cwd, maxBuffer: 2 ** 26 }).then(
    () => '',
    (error: unknown) => {
      if (error instanceof Error && 'stdout' in error && typeof error.stdout === 'string') return error.stdout
      throw error
    },
  )
  const pattern = isApp ? /^\d+ ERROR "([^"]+)"/gm : /^(\S[^(\n]*)\(\d+,\d+\): error TS/gm
  const files = Array.from(output.matchAll(pattern), ([, file]) => relative(copy, join(cwd, file ?? '')))
  if (output !== '' && files.length === 0)
    throw new Error(`${project} does not compile:\n${output.slice(0, 2_000)}`)
  return Array.from(new Set(files)).toSorted()
}
