import { createHmac } from 'node:crypto'

import {
  encodeBatch,
  inviteListSchema,
  inviteRoleSchema,
  inviteSchema,
  randomHexId,
  randomPeerId,
  roleSchema,
  spaceIdSchema,
  treeOperationSchema,
  type InviteRole,
  type Role,
  type SpaceId,
  type TreeOperation,
} from '@t69/protocol'

import type { LiveServer, Person } from './live-server.ts'
import { connectRaw, type RawSocket } from './raw-socket.ts'

/** Callers who are not signed in, by the token that they show. */
export const signedOut = ['none', 'garbage', 'unsigned', 'foreign', 'expired', 'ended'] as const
export type SignedOut = (typeof signedOut)[number]

/** People who are signed in but not members of the space: `removed` was an editor of it. */
const outsiders = ['stranger', 'removed'] as const

/** People who are signed in: one in each role, and the outsiders. */
export const signedIn = [...outsiders, ...roleSchema.options] as const
export type SignedIn = Role | (typeof outsiders)[number]

export interface Credentials {
  readonly access: string | undefined
  readonly refresh: string | undefined
}

/** Everybody whom a rule of access tells apart. */
export interface Cast extends AsyncDisposable {
  readonly people: Readonly<Record<SignedIn, Person>>
  readonly tokens: Readonly<Record<SignedOut, Credentials>>
  /** Creates a space with a person in each role, and a root in its space tree. */
  space(): Promise<SpaceId>
  /** Creates an invite to the space, and returns its token. */
  invite(spaceId: SpaceId, role: InviteRole): Promise<string>
  /** Creates an invite to the space, and returns its id. */
  inviteId(spaceId: SpaceId): Promise<string>
  /** The owner's socket. It has joined no space yet. */
  readonly ownerSocket: RawSocket
}

const dayMs = 86_400_000

export async function createCast(server: LiveServer): Promise<Cast> {
  const people: Cast['people'] = {
    owner: await server.signUp('Olga Owner'),
    editor: await server.signUp('Edna Editor'),
    viewer: await server.signUp('Vera Viewer'),
    removed: await server.signUp('Remo Removed'),
    stranger: await server.signUp('Stan Stranger'),
  }
  const { owner, editor, removed, stranger } = people
  const ownerSocket = await connectRaw(server.url, owner.token)
  await stranger.call('POST', '/api/spaces', { id: randomHexId(), name: 'Elsewhere' })

  const ended = await server.signIn(editor)
  await ended.call('POST', '/api/auth/logout', { refreshToken: ended.refreshToken })
  // Longer ago than a refresh token lives. The owner has a newer session too.
  const expired = await server.atOffset(-40 * dayMs, () => server.signIn(owner))
  const tokens: Cast['tokens'] = {
    none: { access: undefined, refresh: undefined },
    garbage: { access: 'nonsense', refresh: 'nonsense' },
    // Correct except for the signature; an access token is not a refresh token.
    unsigned: { access: forged(owner, 'none'), refresh: owner.token },
    foreign: { access: forged(owner, 'HS256'), refresh: 'A'.repeat(43) },
    expired: { access: expired.token, refresh: expired.refreshToken },
    ended: { access: ended.token, refresh: ended.refreshToken },
  }

  async function invite(spaceId: SpaceId, role: InviteRole): Promise<string> {
    const reply = await owner.call('POST', `/api/spaces/${spaceId}/invites`, { role })
    return inviteSchema.parse(reply.body).token
  }

  return {
    people,
    tokens,
    ownerSocket,
    invite,
    async inviteId(spaceId) {
      await invite(spaceId, 'viewer')
      const { invites } = inviteListSchema.parse(
        (await owner.call('GET', `/api/spaces/${spaceId}/invites`)).body,
      )
      return invites[0]?.id ?? ''
    },
    async space() {
      const id = spaceIdSchema.parse(randomHexId())
      await owner.call('POST', '/api/spaces', { id, name: 'Shared' })
      for (const role of inviteRoleSchema.options) {
        await people[role].call('POST', `/api/invites/${await invite(id, role)}/accept`)
      }
      await removed.call('POST', `/api/invites/${await invite(id, 'editor')}/accept`)
      await owner.call('DELETE', `/api/spaces/${id}/members/${removed.user.id}`)
      await ownerSocket.request('space:join', { spaceId: id })
      await ownerSocket.request('ops:push', {
        spaceId: id,
        batch: encodeBatch({ spaceId: id, ops: rootOf(id) }),
      })
      await ownerSocket.request('space:leave', { spaceId: id })
      return id
    },
    async [Symbol.asyncDispose]() {
      ownerSocket[Symbol.dispose]()
      await Promise.resolve()
    },
  }
}

/** Operations that create the root of the space tree, and name it. */
export function rootOf(spaceId: SpaceId): TreeOperation[] {
  const base = { peerId: '1', treeId: spaceId, spaceId, targetId: spaceId }
  const ops = [
    { ...base, clock: 1, parentId: null },
    { ...base, clock: 2, key: 'name', value: 'Shared' },
  ]
  return ops.map((op) => treeOperationSchema.parse(op))
}

let edits = 0

/** A batch of one new edit. */
export function freshEdit(spaceId: SpaceId): { readonly batch: Uint8Array; readonly op: TreeOperation } {
  const base = { peerId: randomPeerId(), treeId: spaceId, spaceId, targetId: spaceId }
  const op = treeOperationSchema.parse({ ...base, clock: 3, key: `edit-${++edits}`, value: edits })
  return { batch: encodeBatch({ spaceId, ops: [op] }), op }
}

/** A token as the server would make it, signed with another secret, or not at all. */
export function forged({ user, token }: Person, alg: 'HS256' | 'none'): string {
  const [, claims = ''] = token.split('.')
  const header = Buffer.from(JSON.stringify({ alg, typ: 'JWT' })).toString('base64url')
  const signed = `${header}.${claims}`
  if (alg === 'none') return `${signed}.`
  return `${signed}.${createHmac('sha256', `not the secret of ${user.id}`).update(signed).digest('base64url')}`
}
