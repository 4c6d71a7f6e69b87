import { expect, test } from 'vitest'
import { z } from 'zod'

import * as accountHttp from './account-http.ts'
import { batchVersion } from './batch/batch.ts'
import { errorCodes } from './errors.ts'
import * as events from './events.ts'
import * as http from './http.ts'
import { limits } from './limits.ts'
import { treeOperationSchema } from './operation.ts'
import * as passkey from './passkey.ts'
import { compressedPagesVersion, minProtocolVersion, protocolVersion } from './version.ts'

/** The hash of the wire at each version. The last entry is that of the current version. */
const pinned: Readonly<Record<number, string>> = {
  1: '651bd90b9647f46e',
  2: 'f820b4cd3d563f6f',
  3: '68e63e616b5a2537',
  4: '26106dd615f27f88',
  5: '071c0a5e7b6cfd0c',
  6: '69fe7cd3dae5dffc',
  7: '093ff6e35121de79',
}

test('[VE2] the wire has not changed since its version number was set', async () => {
  const hash = await hashOf(wire())
  expect(
    pinned[protocolVersion],
    `The wire has changed: its hash is ${hash}. If version ${protocolVersion} is released, set \
protocolVersion to ${protocolVersion + 1} in version.ts, add that number with this hash to \`pinned\` here, and \
raise minProtocolVersion if older clients cannot be served. If it is not released, or if only an upgrade of the \
schema library changed the hash, replace the hash. A change of the batch layout also raises batchVersion, and \
needs new vectors.`,
  ).toBe(hash)
})

test('[VE1] the oldest served version is not newer than the current one', () => {
  expect(minProtocolVersion).toBeGreaterThanOrEqual(1)
  expect(minProtocolVersion).toBeLessThanOrEqual(protocolVersion)
})

function wire(): unknown {
  return {
    requests: Object.entries(events.requests).map(([name, { payload, reply }]) => [
      name,
      jsonSchema(payload),
      jsonSchema(reply),
    ]),
    signals: Object.entries(events.signals).map(([name, schema]) => [name, jsonSchema(schema)]),
    notifications: Object.entries(events.notifications).map(([name, schema]) => [name, jsonSchema(schema)]),
    handshake: jsonSchema(events.handshakeSchema),
    http: Object.entries({ ...http, ...accountHttp, ...passkey }).flatMap(([name, exported]) =>
      exported instanceof z.ZodType ? [[name, jsonSchema(exported)]] : [],
    ),
    operation: jsonSchema(treeOperationSchema),
    errorCodes,
    limits,
    batchVersion,
    compressedPagesVersion,
  }
}

function jsonSchema(schema: z.ZodType): unknown {
  return z.toJSONSchema(schema, { unrepresentable: 'any', io: 'input' })
}

async function hashOf(value: unknown): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(sorted(value)))
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(digest.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Sorts the keys of objects: a schema with its fields in another order is the same schema. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, child]): [string, unknown] => [key, sorted(child)])
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
