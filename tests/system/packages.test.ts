import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, test } from 'vitest'

const packages = join(import.meta.dirname, '../../packages')

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
