import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, randomBytes } from 'node:crypto'
import { deflateRawSync, inflateRawSync } from 'node:zlib'

import {
  accessIdSchema,
  limits,
  roleNameSchema,
  spaceIdentitySchema,
  spaceIdSchema,
  userIdSchema,
} from '@t69/protocol'
import { z } from 'zod'

import type { AccessList } from './access-list.ts'

/** Seals what devices and logs keep for this server. Without the signing secret nobody reads a seal, or makes one. */
export interface Seals {
  sealSpace(list: AccessList): string
  /** Undefined for what is no seal of a space, or was sealed with another secret. */
  openSpace(seal: string): AccessList | undefined
  /** Whether it is a seal of that list of the space. Costs less than to open it. */
  isOf(seal: string, list: Pick<AccessList, 'spaceId' | 'accessId'>): boolean
  sealAccount(account: SealedAccount): string
  openAccount(seal: string): SealedAccount | undefined
}

/** An entry as a row, for a short seal: user, role, since, joined at, address, name. */
const entrySchema = z
  .tuple([userIdSchema, roleNameSchema.nullable(), accessIdSchema, z.int(), z.string(), z.string()])
  .transform(([userId, role, since, joinedAt, email, name]) => ({
    userId,
    role,
    since,
    joinedAt,
    email,
    name,
  }))

const listSchema = z.object({
  spaceId: spaceIdSchema,
  identity: spaceIdentitySchema,
  name: z.string().optional(),
  createdAt: z.int(),
  accessId: accessIdSchema,
  accessIds: z.array(accessIdSchema),
  entries: z.array(entrySchema),
})

const namesSchema = listSchema.pick({ spaceId: true, accessId: true })

const accountSchema = z.object({
  userId: userIdSchema,
  email: z.string(),
  /** Accounts with this address that were deleted before this one was made. Seals of before such notes name none. */
  deletedBefore: z.array(userIdSchema).default([]),
})
export type SealedAccount = z.infer<typeof accountSchema>

/** Bytes of a seal's text before it was deflated, at most. */
const maxTextBytes = 4 * 1024 * 1024

const ivBytes = 12
const tagBytes = 16

/** AES-256-GCM over deflated JSON. The key is of its own: the secret signs tokens too. */
export function createSeals(secret: string): Seals {
  const key = createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', 't69 seals', 32)))

  function seal(kind: string, content: object): string {
    const iv = randomBytes(ivBytes)
    const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(kind))
    const sealed = Buffer.concat([cipher.update(deflateRawSync(JSON.stringify(content))), cipher.final()])
    return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url')
  }

  /** Undefined for what is no seal of that kind, or was sealed with another secret. */
  function open(kind: string, text: string): unknown {
    const bytes = Buffer.from(text, 'base64url')
    const [iv, tag, sealed] = [
      bytes.subarray(0, ivBytes),
      bytes.subarray(ivBytes, ivBytes + tagBytes),
      bytes.subarray(ivBytes + tagBytes),
    ]
    if (tag.length < tagBytes) return undefined
    const decipher = createDecipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(kind)).setAuthTag(tag)
    try {
      const deflated = Buffer.concat([decipher.update(sealed), decipher.final()])
      return JSON.parse(inflateRawSync(deflated, { maxOutputLength: maxTextBytes }).toString())
    } catch {
      return undefined
    }
  }

  return {
    sealSpace(list) {
      const sealed = seal('space', rowsOf(list))
      if (sealed.length <= limits.maxSealLength) return sealed
      // Two lists that were merged may have more members than either. Names are what can be done without.
      return seal(
        'space',
        rowsOf({ ...list, entries: list.entries.map((it) => ({ ...it, email: '', name: '' })) }),
      )
    },
    openSpace: (text) => listSchema.safeParse(open('space', text)).data,
    isOf(text, { spaceId, accessId }) {
      const { data } = namesSchema.safeParse(open('space', text))
      return data?.spaceId === spaceId && data.accessId === accessId
    },
    sealAccount: (account) => seal('account', account),
    openAccount: (text) => accountSchema.safeParse(open('account', text)).data,
  }
}

function rowsOf(list: AccessList): object {
  const entries = list.entries.map(({ userId, role, since, joinedAt, email, name }) => [
    userId,
    role,
    since,
    joinedAt,
    email,
    name,
  ])
  return { ...list, entries }
}
