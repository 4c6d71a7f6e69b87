import { readFileSync } from 'node:fs'

import { ConfigError, parseConfig } from './config.ts'
import { type Environment, secretFileOf, secretNames } from './settings.ts'

/**
 * The environment with the secrets that are in files: `JWT_SECRET_FILE` names the file that has `JWT_SECRET`, as Docker, systemd
 * and others hand out secrets. A newline at the end is not part of it. An empty file counts as absent, like an empty value.
 * Throws `ConfigError` for a file that cannot be read, and where a secret is given in both ways, with what else is wrong.
 */
export function withSecretFiles(env: Environment): Environment {
  const found: Record<string, string | undefined> = { ...env }
  const problems = new Map<string, string>()
  for (const name of secretNames) {
    const fileName = secretFileOf(name)
    const path = env[fileName]?.trim() ?? ''
    if (path === '') continue
    const text = read(path)
    if (text instanceof Error) problems.set(name, `  ${fileName}: cannot be read (${text.message})`)
    else if (text === '') delete found[fileName]
    else if ((env[name]?.trim() ?? '') !== '')
      problems.set(name, `  ${fileName}: ${name} is set too; set one of them`)
    else found[name] = text
  }
  if (problems.size === 0) return found
  // Of a secret whose file is wrong, nothing more is known.
  const others = [...problemsIn(found)].filter(([name]) => !problems.has(name))
  throw ConfigError.of(new Map([...problems, ...others]))
}

/** What is wrong beside the files. */
function problemsIn(env: Environment): ReadonlyMap<string, string> {
  try {
    parseConfig(env)
    return new Map()
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

function read(path: string): string | Error {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    if (error instanceof Error) return error
    throw error
  }
}
