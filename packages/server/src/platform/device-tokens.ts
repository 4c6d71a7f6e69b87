import { createHmac, timingSafeEqual } from 'node:crypto'

import { randomHexId, userIdSchema, type UserId } from '@t69/protocol'

/**
 * Tokens by which the server recognises a device on which a user was signed in before. They give nobody access. A stranger
 * who guesses passwords cannot use up the attempts of such a device.
 */
export interface DeviceTokens {
  /** `<user>.<device>.<signature>` */
  issue(userId: UserId): string
  /** The user and the device of a token; undefined unless this secret signed it. */
  read(token: string): { readonly userId: UserId; readonly deviceId: string } | undefined
}

export function createDeviceTokens(secret: string): DeviceTokens {
  // The secret signs other tokens too. The prefix keeps a signature of one kind from being used for another.
  const sign = (text: string): Buffer => createHmac('sha256', secret).update(`device:${text}`).digest()

  return {
    issue: (userId) => {
      const text = `${userId}.${randomHexId()}`
      return `${text}.${sign(text).toString('base64url')}`
    },
    read: (token) => {
      const [, text = '', userId = '', deviceId = '', signature = ''] =
        /^(([0-9a-f]{32})\.([0-9a-f]{32}))\.([\w-]{43})$/.exec(token) ?? []
      const given = Buffer.from(signature, 'base64url')
      const expected = sign(text)
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined
      return { userId: userIdSchema.parse(userId), deviceId }
    },
  }
}
