import { createSyncClient, memoryStorage, type Space } from '@t69/sync-client'

/** A local space in memory, with real replicas and without a server. */
export async function localSpace(): Promise<Space & AsyncDisposable> {
  const client = createSyncClient({ url: 'http://127.0.0.1:9', storage: memoryStorage(), session: 'storage' })
  const space = await client.createSpace({ name: 'Test' })
  return Object.assign(space, { [Symbol.asyncDispose]: () => client.close() })
}
