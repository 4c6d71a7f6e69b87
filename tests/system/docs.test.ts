import { execFile } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'

import { noRights, rightsOf, roleSchema } from '@t69/protocol'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')

/** A longer line of prose is a paragraph in disguise. */
const maxLineLength = 200

/** What the snippets of the READMEs take for granted: a name that is missing here fails the type check. */
const given = `
import type {
  ClientToServerEvents, ErrorBody, RoleName, ServerToClientEvents, SpaceId, TreeId, TreeOperation, VertexId,
} from '@t69/protocol'
import type { SyncPhase } from '@t69/sync-client'
import type * as client from 'socket.io-client'

declare global {
  const email: string
  const password: string
  const url: string
  const token: string
  const json: unknown
  const role: RoleName
  const spaceId: SpaceId
  const treeId: TreeId
  const vertexId: VertexId
  const ops: readonly TreeOperation[]
  const manyOps: readonly TreeOperation[]
  const received: readonly TreeOperation[]
  function send(payload: unknown): void
  function store(op: TreeOperation): void
  function render(value: unknown): void
  function show(phase: SyncPhase, pending: number, error?: ErrorBody | null): void
  type Socket<L extends ServerToClientEvents, E extends ClientToServerEvents> = client.Socket<L, E>
  const socket: Socket<ServerToClientEvents, ClientToServerEvents>
  const io: typeof client.io
}
`

const documents = globSync(['*.md', 'docs/**/*.md', '{packages,apps,tests}/**/*.md'], {
  cwd: root,
  exclude: (path) => /(^|\/)(node_modules|dist|artifacts)$/.test(path),
}).toSorted()

/** The lines outside fenced code, each with its number. */
function proseOf(markdown: string): { readonly number: number; readonly text: string }[] {
  let isCode = false
  return markdown.split('\n').flatMap((text, index) => {
    const isFence = /^\s*```/.test(text)
    if (isFence) isCode = !isCode
    return isFence || isCode ? [] : [{ number: index + 1, text }]
  })
}

/** A line as people read it: of a link its words, not its address. */
function withoutAddresses(line: string): string {
  return line.replaceAll(/\]\([^)]*\)/g, ']').replaceAll(/https?:\/\/[^\s)>`]+/g, '')
}

/** The addresses of the links in a line: `[words](address)`. */
function linksOf(line: string): string[] {
  return Array.from(line.replaceAll(/`[^`]*`/g, '').matchAll(/\]\(([^)\s]+)\)/g), ([, to]) => to ?? '')
}

/** The anchors that GitHub gives to the headings of a document. */
function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>()
  for (const { text } of proseOf(markdown)) {
    const heading = /^#{1,6} +(.+?) *$/.exec(text)?.[1]
    if (heading === undefined) continue
    const words = withoutAddresses(heading).toLowerCase()
    const slug = words.replaceAll(/[^\p{L}\p{N}\-_ ]/gu, '').replaceAll(' ', '-')
    let anchor = slug
    for (let twin = 1; anchors.has(anchor); twin++) anchor = `${slug}-${twin}`
    anchors.add(anchor)
  }
  return anchors
}

/**
 * The files and folders that a line names in code: from the root (`packages/server/src/main.ts`), or from the
 * package that the document is in (`src/main.ts`). Patterns and what a build makes are not among them.
 */
function pathsOf(line: string): string[] {
  const spans = line.matchAll(/`((?:packages|apps|tests|docs|src)\/[^`]*)`/g)
  return Array.from(spans, ([, path]) => path ?? '').filter((path) => !/[\s<>*{}…]|\/dist(\/|$)/.test(path))
}

function snippetsOf(markdown: string): string[] {
  return Array.from(markdown.matchAll(/^```ts\n(.*?)^```/gms), ([, code]) => code ?? '')
}

/** The cells of the table whose head begins so; without the row of dashes. */
function tableOf(document: string, head: string): string[][] {
  const lines = read(document).split('\n')
  const first = lines.findIndex((line) => line.startsWith(head))
  const after = lines.findIndex((line, index) => index > first && !line.startsWith('|'))
  const rows = first < 0 ? [] : lines.slice(first, after)
  return rows
    .filter((row) => !/^[|\s-]+$/.test(row))
    .map((row) =>
      row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
}

function withoutTicks(text: string): string {
  return text.replaceAll('`', '')
}

function read(document: string): string {
  return readFileSync(join(root, document), 'utf8')
}

/** `find` on each line of prose of each document, as `file:line: finding`. */
function findings(find: (line: string, document: string) => readonly string[]): string[] {
  return documents.flatMap((document) =>
    proseOf(read(document)).flatMap(({ number, text }) =>
      find(text, document).map((finding) => `${document}:${number}: ${finding}`),
    ),
  )
}

test('the documents are found', () => {
  expect(documents).toEqual(
    expect.arrayContaining(['AGENTS.md', 'README.md', 'docs/architecture.md', 'packages/protocol/SPEC.md']),
  )
})

test(`no line of prose in the documents is longer than ${maxLineLength} characters`, () => {
  const long = findings((line) => {
    const { length } = withoutAddresses(line)
    return length > maxLineLength ? [`${length} characters`] : []
  })
  expect(long).toEqual([])
})

test('every relative link in the documents leads to a file, and to a heading where it names one', () => {
  const broken = findings((line, document) =>
    linksOf(line).filter((link) => {
      if (/^[a-z]+:/.test(link)) return false
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? document : join(dirname(document), path)
      if (!existsSync(join(root, target))) return true
      return anchor !== undefined && !(target.endsWith('.md') && anchorsOf(read(target)).has(anchor))
    }),
  )
  expect(broken).toEqual([])
})

test('every file that the documents name exists', () => {
  const missing = findings((line, document) =>
    pathsOf(line).filter((path) => {
      const from = path.startsWith('src/') ? dirname(document) : '.'
      return !existsSync(join(root, from, path))
    }),
  )
  expect(missing).toEqual([])
})

test('the table in architecture.md gives every role the rights that it has', () => {
  const cells = tableOf('docs/architecture.md', '| right ')
  const expected = Object.keys(noRights).map((right) => [
    `\`${right}\``,
    ...roleSchema.options.map((role) => (Reflect.get(rightsOf(role), right) === true ? 'yes' : '')),
  ])
  expect(cells.map((row) => row.slice(0, -1))).toEqual([['right', ...roleSchema.options], ...expected])
})

test('the map in AGENTS.md has the arrows of the server that lint holds', () => {
  const lint = read('oxlint.config.ts')
  const drawn = tableOf('AGENTS.md', '| server folder ').slice(1)
  const held = drawn.map(([folder = '']) => {
    const [, imports = ''] =
      new RegExp(`\\b${withoutTicks(folder)}: \\{\\s*imports: \\[([^\\]]*)`).exec(lint) ?? []
    return [folder, Array.from(imports.matchAll(/'([^']+)'/g), ([, name]) => name).join(', ')]
  })
  expect(drawn.map(([folder, , imports = '']) => [folder, withoutTicks(imports)])).toEqual(held)
  expect(drawn.length).toBeGreaterThan(5)
})

test('every decision is listed in the table of decisions', () => {
  const records = globSync('docs/decisions/[0-9]*.md', { cwd: root }).toSorted()
  const listed = tableOf('docs/decisions/README.md', '| record ').slice(1)
  expect(listed.map(([record = '']) => linksOf(record)[0])).toEqual(records.map((path) => basename(path)))
})

test('every setting of the server is described in its README', () => {
  const config = read('packages/server/src/config.ts')
  const settings = Array.from(config.matchAll(/^ {2}([A-Z][A-Z_]+): /gm), ([, name]) => name ?? '')
  expect(settings).toContain('DATA_DIR')
  const described = read('packages/server/README.md')
  expect(settings.filter((name) => !described.includes(`\`${name}\``))).toEqual([])
})

test('the TypeScript in the READMEs compiles against the packages', async () => {
  // Below tests/, where all packages can be imported by their names.
  const cache = join(root, 'tests/node_modules/.cache')
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'docs-'))
  try {
    const files = documents.flatMap((document) =>
      snippetsOf(read(document)).map((code, index) => {
        const name = `${document.replaceAll('/', '_').replace(/\.md$/, '')}_${index + 1}.ts`
        writeFileSync(join(folder, name), `${code}\nexport {}\n`)
        return name
      }),
    )
    expect(files.length).toBeGreaterThan(5)
    writeFileSync(join(folder, 'given.d.ts'), given)
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({
        extends: '../../../tsconfig.json',
        compilerOptions: { noUnusedLocals: false, types: ['node'] },
        include: [],
        files: ['given.d.ts', ...files],
      }),
    )
    expect(await compile(folder)).toBe('')
  } finally {
    rmSync(folder, { recursive: true })
  }
})

/** What the compiler says of a folder: nothing where all is well. */
async function compile(folder: string): Promise<string> {
  const tsc = join(root, 'node_modules/.bin/tsc')
  try {
    await promisify(execFile)(tsc, ['--pretty', 'false', '-p', folder], { cwd: folder })
    return ''
  } catch (error) {
    if (error instanceof Error && 'stdout' in error) return String(error.stdout) || error.message
    throw error
  }
}

test('prose, links, headings, paths and snippets are told apart', () => {
  const markdown =
    '# A `b`: c\n\n## Twice\n## Twice\n\n```ts\nconst a = [b](c)\n```\n[one](x.md#y) `[no](z)`\n'
  expect(proseOf(markdown).map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 9, 10])
  expect(Array.from(anchorsOf(markdown))).toEqual(['a-b-c', 'twice', 'twice-1'])
  expect(proseOf(markdown).flatMap(({ text }) => linksOf(text))).toEqual(['x.md#y'])
  expect(snippetsOf(markdown)).toEqual(['const a = [b](c)\n'])
  expect(withoutAddresses('see [it](a/b.md) at https://example.org/x.')).toBe('see [it] at ')
  expect(pathsOf('`tests/a.ts`, `src/b`, `tests/<x>.ts`, `apps/t69/dist`, `npm run src/c`')).toEqual([
    'tests/a.ts',
    'src/b',
  ])
})
