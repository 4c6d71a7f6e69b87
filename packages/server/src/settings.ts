import leven from 'leven'

import { isSecret, unitBytes, unitMs } from './config-values.ts'
import { environment } from './config.ts'

/** A setting as it is in effect. */
export interface Setting {
  readonly name: string
  /** As it is written in the environment; empty for none. A secret is not shown. */
  readonly value: string
  readonly from: 'environment' | 'file' | 'default'
}

/** A variable that is no setting, and looks like one that was meant. */
export interface MisspeltSetting {
  readonly name: string
  readonly meant: string
}

export type Environment = Readonly<Record<string, string | undefined>>

/** The settings that are secrets. */
export const secretNames: readonly string[] = Object.keys(environment.shape).filter(isSecret)

/** The variable that names the file with a secret: see secret-files.ts. */
export const secretFileOf = (name: string): string => `${name}_FILE`

/** Every setting, in the order of the documentation. For a configuration that `parseConfig` takes. */
export function settingsOf(env: Environment): Setting[] {
  const defaults = environment.parse({})
  return Object.entries(defaultsOf(defaults)).map(([name, byDefault]) => {
    const given = env[name]?.trim()
    if (given === undefined || given === '') return { name, value: byDefault, from: 'default' }
    if (!isSecret(name)) return { name, value: given, from: 'environment' }
    const isInFile = (env[secretFileOf(name)] ?? '') !== ''
    return { name, value: '(set)', from: isInFile ? 'file' : 'environment' }
  })
}

function defaultsOf(defaults: Readonly<Record<string, unknown>>): Record<string, string> {
  const names = Object.keys(environment.shape)
  return Object.fromEntries(names.map((name) => [name, textOf(name, defaults[name])]))
}

function textOf(name: string, value: unknown): string {
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return value.join(',')
  if (typeof value !== 'number') return value === undefined ? '' : JSON.stringify(value)
  if (/(?:TTL|INTERVAL|TIMEOUT|KEEP_SET_ASIDE)$/.test(name)) return inUnits(value, unitMs)
  return /BYTES/.test(name) ? inUnits(value, unitBytes) : String(value)
}

/** In the largest unit that gives a whole number. */
function inUnits(value: number, units: Readonly<Record<string, number>>): string {
  const [unit, size] = Object.entries(units).findLast(([, size]) => value % size === 0) ?? ['', 1]
  return `${value / size}${unit}`
}

/** Variables that nothing reads, and that differ little from a setting: whoever wrote them expects an effect. */
export function misspeltSettings(env: Environment): MisspeltSetting[] {
  const known = [...Object.keys(environment.shape), ...secretNames.map(secretFileOf)]
  return Object.keys(env).flatMap((name) => {
    if (known.includes(name) || env[name] === '') return []
    const written = name.toUpperCase().replace(/^T69_/, '')
    const meant = known.find((it) => it === written) ?? known.find((it) => isNear(written, it))
    return meant === undefined ? [] : [{ name, meant }]
  })
}

/** Short names are near to too much: `POST` is not `PORT`. */
function isNear(written: string, name: string): boolean {
  return name.length >= 8 && leven(written, name, { maxDistance: 3 }) <= 2
}
