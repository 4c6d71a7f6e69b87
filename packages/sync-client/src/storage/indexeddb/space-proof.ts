import { registrationIdSchema, roleNameSchema, spaceSealSchema, type RegistrationId } from '@t69/protocol'

import type { KeptSeal } from '../client-storage.ts'

/**
 * The keys of a space's registration and seal in `config`: not in the row of its sync state, which is written with every
 * append, and with what outlives a database that the browser has emptied.
 */
export const registrationKey = (spaceId: string): string => `syncRegistration:${spaceId}`
export const sealKey = (spaceId: string): string => `syncSeal:${spaceId}`

const keptSealSchema = spaceSealSchema.extend({ role: roleNameSchema })

/** Null for anything that is not a registration, or not a seal. */
export function parseRegistration(value: unknown): RegistrationId | null {
  return registrationIdSchema.safeParse(value).data ?? null
}

export function parseSeal(value: unknown): KeptSeal | null {
  return keptSealSchema.safeParse(value).data ?? null
}
