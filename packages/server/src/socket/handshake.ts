import {
  compressedPagesVersion,
  handshakeSchema,
  minProtocolVersion,
  protocolVersion,
  type SocketData,
  SyncError,
} from '@t69/protocol'
import { z } from 'zod'

import type { Tokens } from '../ports/tokens.ts'

const versionSchema = z.object({ protocolVersion: handshakeSchema.shape.protocolVersion })

/**
 * Checks the `auth` of a handshake, and returns whose socket it is. Throws `unsupported_version` (checked first: a
 * client of another version may send the rest differently), `unauthenticated`, or `invalid_request`.
 */
export function checkHandshake(auth: unknown, tokens: Tokens): SocketData {
  const version = versionSchema.safeParse(auth)
  if (!version.success) {
    throw new SyncError('invalid_request', 'the handshake has no protocol version', { at: 'protocolVersion' })
  }
  const { protocolVersion: asked } = version.data
  if (asked < minProtocolVersion || asked > protocolVersion) {
    const served = `${minProtocolVersion} to ${protocolVersion}`
    throw new SyncError('unsupported_version', `protocol version ${asked} is not served; ${served} are`)
  }
  const handshake = handshakeSchema.safeParse(auth)
  if (!handshake.success) throw new SyncError('unauthenticated', 'the handshake has no token')
  return tokens.verify(handshake.data.token)
}

/** Whether the client of a handshake that was accepted takes compressed pages. */
export function takesCompressed(auth: unknown): boolean {
  const version = versionSchema.safeParse(auth)
  return version.success && version.data.protocolVersion >= compressedPagesVersion
}
