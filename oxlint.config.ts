import { defineConfig } from 'oxlint'

/** Imports that a layer must not have: by a regular expression or by globs (a later `!` takes one back), and why. */
interface Forbidden {
  readonly regex?: string
  readonly group?: string[]
  readonly message: string
  readonly allowTypeImports?: boolean
  readonly allowImportNames?: string[]
}

const outside: Forbidden = {
  regex: '^(\\.\\./)+(protocol|replica|sync-client|server|t69|tests|bench)/',
  message: 'Import another package by its name.',
}
const node: Forbidden = { regex: '^node:', message: 'This package also runs in browsers.' }
const fastify: Forbidden = {
  group: ['fastify', 'fastify-type-provider-zod', '@fastify/*', '!@fastify/proxy-addr'],
  message: 'Only http/ and server.ts know Fastify.',
}
const sockets: Forbidden = { regex: '^socket\\.io$', message: 'Only socket/ knows sockets.' }
const sql: Forbidden = {
  regex: '^(kysely|better-sqlite3)$',
  message: 'Only sqlite/, logs/ and platform/ know SQL.',
}
const protocolValues: Forbidden = {
  regex: '^@t69/protocol$',
  allowTypeImports: true,
  allowImportNames: ['limits', 'utf8Length', 'startOfText', 'firstCharacter'],
  message: 'Of the protocol, the app takes types, limits, and what measures and cuts text.',
}
const appLibraries: Forbidden = {
  regex: '^(reptree|dexie|socket\\.io-client)$',
  message: 'The app goes through @t69/sync-client.',
}

function packages(...names: string[]): Forbidden {
  return { regex: `^@t69/(${names.join('|')})(/|$)`, message: 'See the table of packages in AGENTS.md.' }
}

/** The last layer that matches a file counts, so each states all that it forbids. */
function layer(files: string | string[], ...patterns: Forbidden[]) {
  const rule: ['error', { patterns: Forbidden[] }] = ['error', { patterns: [outside, ...patterns] }]
  return { files: [files].flat(), rules: { 'eslint/no-restricted-imports': rule } }
}

/** A folder of a package: the rooms, or single files, that its files may import, and what else they must not. */
interface Room {
  readonly imports: readonly string[]
  readonly forbids?: readonly Forbidden[]
}

/** Of what lies under `out`, only these folders and files. */
function onlyThese(out: string, imports: readonly string[], message: string): Forbidden {
  const allowed = imports.map((it) => `!${out}${it.endsWith('.ts') ? it : `${it}/**`}`)
  return { group: [`${out}**`, ...allowed], message }
}

/**
 * Layers for the rooms of `src`. A file imports what it likes of its own room, and of the rest of the package only
 * what its room states: a room (`socket`) or one file (`logs/op-log.ts`). Types count too.
 */
function rooms(src: string, table: Readonly<Record<string, Room>>, ...always: Forbidden[]) {
  return Object.entries(table).flatMap(([room, { imports, forbids = [] }]) => {
    const message = `${room}/ imports ${imports.join(', ') || 'no other room'}.`
    // The way out of the room is `../` for a file in it, and `../../` for one in a folder in it.
    return ['../', '../../'].map((out) => {
      const files = out === '../' ? `${src}/${room}/*` : `${src}/${room}/*/**`
      return layer(files, ...always, ...forbids, onlyThese(out, imports, message))
    })
  })
}

/** For a folder or a file of `src` that is in no room yet. Comes before the rooms, which take their own files back. */
function roomless(src: string, ...always: Forbidden[]) {
  const message = 'It is in no room: give it one in oxlint.config.ts.'
  return [
    layer(`${src}/*`, ...always, { group: ['./**'], message }),
    layer(`${src}/*/**`, ...always, { group: ['../**'], message }),
  ]
}

/**
 * Rooms on floors, the uppermost first: each imports from the floors below its own, through a room's door (`index.ts`,
 * and that of a room inside it). A room is a folder, or a file at the top (`api.ts`).
 */
function floors(src: string, plan: readonly (readonly string[])[], ...always: Forbidden[]) {
  const doors = plan.map((floor) =>
    floor.map((room) => (room.endsWith('.ts') ? room : `${room}/**/index.ts`)),
  )
  return plan.flatMap((floor, level) => {
    const below = doors.slice(level + 1).flat()
    return floor.flatMap((room) =>
      room.endsWith('.ts')
        ? layer(`${src}/${room}`, ...always, onlyThese('./', below, `${room} imports ${below.join(', ')}.`))
        : rooms(src, { [room]: { imports: below } }, ...always),
    )
  })
}

/**
 * A folder of the app, and the folders that it does not import: model ← { state, provider-api } ← { reply, ui/parts } ←
 * ui/{chat, sidebar, dialogs} ← App.svelte. No screen imports another, and only ui/chat imports reply.
 */
const screens = ['chat', 'sidebar', 'dialogs', 'palette', 'admin']

function appRoom(files: string, ...unknown: string[]) {
  const rooms: Forbidden = {
    regex: `^\\.\\.?/(.*/)?((${unknown.join('|')})/|App\\.svelte$)`,
    message:
      'model ← {state, provider-api} ← {reply, search, transfer, ui/parts} ← ui/{chat, sidebar, dialogs, palette, admin} ← ui/layout ← App, never back or across.',
  }
  return layer(
    `apps/t69/src/${files}`,
    node,
    packages('server', 'replica'),
    protocolValues,
    appLibraries,
    rooms,
  )
}

const notClient = [
  node,
  packages('sync-client', 'server', 'app'),
  { regex: '^reptree$', message: 'Go through @t69/replica.' },
]
const notServer = packages('sync-client', 'server', 'app')

/** What runs in browsers. */
const browserCode = ['packages/{protocol,replica,sync-client}/src/**', 'apps/t69/src/**']
const notInSafari = 'Safari does not have it: see "Browsers" in README.md.'
const baseline = {
  'baseline/no-using': 'error',
  'eslint/no-restricted-properties': [
    'error',
    { object: 'Symbol', property: 'dispose', message: notInSafari },
    { object: 'Symbol', property: 'asyncDispose', message: notInSafari },
  ],
  'eslint/no-restricted-globals': [
    'error',
    ...['DisposableStack', 'AsyncDisposableStack', 'SuppressedError'].map((name) => ({
      name,
      message: notInSafari,
    })),
  ],
} as const

export default defineConfig({
  plugins: ['typescript', 'unicorn', 'oxc', 'import', 'promise', 'vitest'],
  jsPlugins: ['./oxlint-baseline.js'],
  categories: { correctness: 'error', suspicious: 'error' },
  ignorePatterns: ['**/dist/**', '**/artifacts/**', 'apps/t69/src/locales/**'],
  rules: {
    'eslint/eqeqeq': 'error',
    'eslint/no-await-in-loop': 'off',
    'eslint/no-shadow': 'off',
    // It does not see that a callback changes the variable.
    'eslint/no-unmodified-loop-condition': 'off',
    'eslint/no-underscore-dangle': 'off',
    'import/no-cycle': 'error',
    // `import fc from 'fast-check'` is how its documentation has it.
    'import/no-named-as-default-member': 'off',
    'import/no-unassigned-import': 'off',
    // The compiler and the exhaustive switches say it better.
    'typescript/consistent-return': 'off',
    'typescript/consistent-type-imports': 'error',
    'typescript/no-explicit-any': 'error',
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/no-non-null-assertion': 'error',
    'typescript/no-unsafe-type-assertion': 'off',
    'typescript/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    'unicorn/consistent-function-scoping': 'off',
    // Sorting what one owns in place is meant, where a copy of a whole log is not.
    'unicorn/no-array-sort': 'off',
    // It takes a BroadcastChannel for a window.
    'unicorn/require-post-message-target-origin': 'off',
  },
  overrides: [
    layer('packages/protocol/src/**', node, packages('protocol', 'replica', 'sync-client', 'server', 'app')),
    layer('packages/replica/src/**', node, packages('replica', 'sync-client', 'server', 'app')),
    ...roomless('packages/sync-client/src', ...notClient),
    layer('packages/sync-client/src/index.ts', ...notClient),
    ...floors(
      'packages/sync-client/src',
      [
        ['admin', 'client', 'passkeys'],
        ['space'],
        ['engine'],
        ['link'],
        ['account'],
        ['api.ts', 'machine'],
        ['storage', 'tabs'],
        ['runtime'],
      ],
      ...notClient,
    ),
    ...roomless('packages/server/src', notServer),
    layer('packages/server/src/testing/**', notServer),
    layer('packages/server/src/*', notServer, {
      regex: '^\\./testing/',
      message: 'Only tests import testing/.',
    }),
    ...rooms(
      'packages/server/src',
      {
        cli: {
          imports: [
            'admin',
            'platform',
            'mail',
            'logs',
            'sqlite',
            'limits',
            'ports',
            'config.ts',
            'settings.ts',
          ],
          forbids: [sql, fastify, sockets],
        },
        admin: { imports: ['platform', 'logs', 'ports'], forbids: [sql, fastify, sockets] },
        http: { imports: ['platform', 'spaces', 'mail', 'limits', 'ports'], forbids: [sql, sockets] },
        socket: { imports: ['spaces', 'limits', 'ports'], forbids: [sql, fastify] },
        trees: {
          imports: ['storage/tree-reader.ts', 'logs/read-only-log.ts', 'limits/fair-queue.ts'],
          forbids: [sql, fastify, sockets],
        },
        spaces: {
          imports: ['storage', 'logs/op-log.ts', 'logs/is-out-of-files.ts', 'limits', 'ports'],
          forbids: [sql, fastify, sockets],
        },
        storage: {
          imports: ['logs', 'sqlite/storage-failure.ts', 'limits/fair-queue.ts'],
          forbids: [sql, fastify, sockets],
        },
        platform: { imports: ['sqlite', 'ports'], forbids: [fastify, sockets] },
        logs: { imports: ['sqlite'], forbids: [fastify, sockets] },
        metrics: { imports: ['ports'], forbids: [sql, fastify, sockets] },
        sqlite: { imports: [], forbids: [fastify, sockets] },
        limits: { imports: [], forbids: [sql, fastify, sockets] },
        mail: { imports: ['ports'], forbids: [sql, fastify, sockets] },
        oidc: { imports: ['ports'], forbids: [sql, fastify, sockets] },
        ports: { imports: [], forbids: [sql, fastify, sockets] },
      },
      notServer,
    ),
    appRoom('**', 'testing'),
    appRoom('lib/*', 'model', 'state', 'reply', 'provider-api', 'search', 'transfer', 'ui', 'testing'),
    appRoom(
      'lib/ui/*',
      'reply',
      'provider-api',
      'search',
      'transfer',
      'parts',
      ...screens,
      'layout',
      'testing',
    ),
    layer('apps/t69/src/{main,start}.ts', node, packages('server', 'replica'), protocolValues, appLibraries),
    appRoom('lib/model/**', 'state', 'reply', 'provider-api', 'search', 'transfer', 'ui', 'testing'),
    appRoom('lib/state/**', 'reply', 'provider-api', 'search', 'transfer', 'ui', 'testing'),
    appRoom('lib/provider-api/**', 'state', 'reply', 'search', 'transfer', 'ui', 'testing'),
    appRoom('lib/reply/**', 'search', 'transfer', 'ui', 'testing'),
    appRoom('lib/search/**', 'reply', 'provider-api', 'transfer', 'ui', 'testing'),
    appRoom('lib/transfer/**', 'reply', 'provider-api', 'search', 'ui', 'testing'),
    appRoom(
      'lib/ui/parts/**',
      'reply',
      'provider-api',
      'search',
      'transfer',
      ...screens,
      'layout',
      'testing',
    ),
    appRoom(
      'lib/ui/chat/**',
      'search',
      'transfer',
      'sidebar',
      'dialogs',
      'palette',
      'admin',
      'layout',
      'testing',
    ),
    appRoom(
      'lib/ui/sidebar/**',
      'reply',
      'provider-api',
      'search',
      'transfer',
      'chat',
      'dialogs',
      'palette',
      'admin',
      'layout',
      'testing',
    ),
    appRoom(
      'lib/ui/dialogs/**',
      'reply',
      'search',
      'chat',
      'sidebar',
      'palette',
      'admin',
      'layout',
      'testing',
    ),
    appRoom(
      'lib/ui/admin/**',
      'reply',
      'provider-api',
      'search',
      'transfer',
      'chat',
      'sidebar',
      'dialogs',
      'palette',
      'layout',
      'testing',
    ),
    appRoom(
      'lib/ui/palette/**',
      'reply',
      'provider-api',
      'transfer',
      'chat',
      'sidebar',
      'dialogs',
      'admin',
      'layout',
      'testing',
    ),
    appRoom('lib/ui/layout/**', 'search', 'transfer', 'sidebar', 'dialogs', 'palette', 'admin', 'testing'),
    { files: browserCode, rules: baseline },
    {
      files: ['**/*.{test,contract}.ts', '**/testing/**'],
      rules: {
        'baseline/no-using': 'off',
        'eslint/no-restricted-properties': 'off',
        'eslint/no-restricted-globals': 'off',
      },
    },
    // Tests join layers on purpose: a fake socket over a real log.
    layer('{packages,apps}/*/src/**/*.{test,contract}.ts'),
    {
      files: ['tests/browser/**'],
      rules: { 'vitest/no-standalone-expect': ['error', { additionalTestBlockFunctions: ['story'] }] },
    },
    // They make tests: the title and the expectations are their caller's.
    {
      files: ['tests/lib/story.ts', 'tests/lib/engines/engine-story.ts'],
      rules: { 'vitest/expect-expect': 'off', 'vitest/valid-title': 'off' },
    },
    {
      files: ['**/*.{test,contract}.ts'],
      rules: { 'typescript/no-non-null-assertion': 'off', 'vitest/valid-expect': ['error', { maxArgs: 2 }] },
    },
  ],
})
