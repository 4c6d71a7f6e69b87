import { afterAll, beforeAll, expect, test } from 'vitest'

import { copyWorkspace, type Edit, type WorkspaceCopy } from '../lib/workspace-copy.ts'

/**
 * Steps that the compiler does not let anyone forget. Each case begins a change in a copy of the sources, and names the
 * places that do not compile until the change is complete.
 */

interface Guard {
  /** What is added or left out. */
  readonly change: string
  readonly edits: readonly Edit[]
  /** The package that is compiled. */
  readonly project: string
  /** Files that must have an error, or a folder in which some file must. */
  readonly fails: readonly string[]
}

const role: Edit = {
  within: 'packages/protocol/src/rights.ts',
  find: "z.enum(['owner', 'editor', 'viewer'])",
  replace: "z.enum(['owner', 'editor', 'viewer', 'guard-role'])",
}
const rightsOfRole: Edit = {
  within: 'packages/protocol/src/rights.ts',
  find: '} as const satisfies Record<Role, Rights>',
  replace: "  'guard-role': { ...noRights, read: true },\n} as const satisfies Record<Role, Rights>",
}
const newEvent = (kind: 'requests' | 'signals' | 'notifications', schema: string): Edit => ({
  within: 'packages/protocol/src/events.ts',
  find: `export const ${kind} = {`,
  replace: `export const ${kind} = {\n  'guard:event': ${schema},`,
})
const payload = 'z.object({ spaceId: spaceIdSchema, name: z.string() })'
const request = newEvent('requests', `{ payload: ${payload}, reply: z.object({}) }`)
const signal = newEvent('signals', payload)
const notification = newEvent('notifications', payload)
const route: Edit = {
  within: 'packages/server/src',
  find: "  'GET /api/me',",
  replace: "  'GET /api/me',\n  'GET /api/guard',",
}

const tabMessage = (heardBy: string): Edit => ({
  within: 'packages/sync-client/src/tabs/tab-messages.ts',
  find: 'const messages = [',
  replace: `const messages = [\n  message('renamed', ${heardBy}, {}),`,
})

const guards: readonly Guard[] = [
  {
    change: 'a role without rights',
    edits: [role],
    project: 'packages/protocol',
    fails: ['packages/protocol/src/rights.ts'],
  },
  {
    change: 'a role without a person and rows in the tests of access',
    edits: [role, rightsOfRole],
    project: 'tests',
    fails: ['tests/lib/cast.ts', 'tests/system/access-http.test.ts', 'tests/system/access-socket.test.ts'],
  },
  {
    change: 'a tab message that its hearers do not hear',
    edits: [tabMessage("['leader', 'space', 'tab']")],
    project: 'packages/sync-client',
    fails: [
      'packages/sync-client/src/engine/engine.ts',
      'packages/sync-client/src/space/tab-space.ts',
      'packages/sync-client/src/client/tab.ts',
    ],
  },
  {
    change: 'a tab message that nobody hears',
    edits: [tabMessage('[]')],
    project: 'packages/sync-client',
    fails: ['packages/sync-client/src/tabs/tab-messages.ts'],
  },
  {
    change: 'a route that is not in the list of routes',
    edits: [{ within: 'packages/server/src', find: "app.get('/api/me',", replace: "app.get('/api/guard'," }],
    project: 'packages/server',
    fails: ['packages/server/src/http'],
  },
  {
    change: 'a route without rows in the tests of access',
    edits: [route],
    project: 'tests',
    fails: ['tests/system/access-http.test.ts'],
  },
  {
    change: 'a request that the server does not handle',
    edits: [request],
    project: 'packages/server',
    fails: ['packages/server/src/socket'],
  },
  {
    change: 'a signal that the server does not handle',
    edits: [signal],
    project: 'packages/server',
    fails: ['packages/server/src/socket'],
  },
  {
    change: 'a request without a row in the tests of access',
    edits: [request],
    project: 'tests',
    fails: ['tests/system/access-socket.test.ts'],
  },
  {
    change: 'a signal without a row in the tests of access',
    edits: [signal],
    project: 'tests',
    fails: ['tests/system/access-socket.test.ts'],
  },
  {
    change: 'a notification without a row in the tests of access, and one in those of the transport',
    edits: [notification],
    project: 'tests',
    fails: ['tests/system/access-socket.test.ts', 'tests/system/transport.contract.ts'],
  },
  {
    change: 'a notification that the client does not handle',
    edits: [notification],
    project: 'packages/sync-client',
    fails: ['packages/sync-client/src'],
  },
  {
    change: 'a column that the op log does not read',
    edits: [{ within: 'packages/server/src/logs', find: "  'value',\n] as const", replace: '] as const' }],
    project: 'packages/server',
    fails: ['packages/server/src/logs/space-queries.ts'],
  },
  {
    change: 'a column that the op log does not write',
    edits: [{ within: 'packages/server/src/logs', find: '  value: own,\n', replace: '' }],
    project: 'packages/server',
    fails: ['packages/server/src/logs/insert-ops.ts'],
  },
  {
    change: 'a kind of dialog that says neither what it is about nor how it is drawn',
    edits: [
      {
        within: 'apps/t69/src/lib/state/ui.svelte.ts',
        find: '  readonly deleted: object\n',
        replace: '  readonly deleted: object\n  readonly report: object\n',
      },
    ],
    project: 'apps/t69',
    fails: ['apps/t69/src/lib/state/ui.svelte.ts', 'apps/t69/src/lib/ui/dialogs/dialog-components.ts'],
  },
]

let copy: WorkspaceCopy
beforeAll(async () => {
  copy = await copyWorkspace()
})
afterAll(async () => {
  await copy[Symbol.asyncDispose]()
})

// `tests` takes in the sources of all packages. `pnpm check` shows that each one compiles by itself.
test('the copy compiles without a change', async () => {
  expect(await copy.check('tests', [])).toEqual([])
})

test.each(guards)('$change does not compile in $project', async ({ edits, project, fails }) => {
  const errors = await copy.check(project, edits)
  const sources = errors.filter((file) => file.startsWith('tests/') || !file.includes('.test.'))
  for (const place of fails) {
    expect(
      sources.some((file) => file === place || file.startsWith(`${place}/`)),
      `${place} in ${errors.join(', ')}`,
    ).toBe(true)
  }
})
