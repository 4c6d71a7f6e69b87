import { createSyncClient } from '@t69/sync-client'

import { measureIn } from './page.ts'

measureIn(async (name) => {
  const client = createSyncClient({ url: location.origin })
  await client.ready
  if (client.user === null) {
    await client.signIn({ email: 'anna@example.org', password: 'correct horse battery' })
  }
  const space = await client.openSpace(name)
  const root = await space.loaded()
  return {
    get: (key) => root.getProperty(key),
    size: () => Object.keys(root.getProperties()).filter((key) => key !== '_c').length,
    stored: () => space.stored(),
  }
})
