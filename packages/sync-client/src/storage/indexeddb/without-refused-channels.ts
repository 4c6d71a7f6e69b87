import { hasChannels } from '../../runtime/index.ts'

// Dexie opens a channel as it is imported, without asking whether it may: where the browser refuses, the app would not
// even start. Imported before Dexie, this takes away what the page may not use. package.json names it, or bundlers that
// see nothing imported from it would leave it out.
if (!hasChannels()) Reflect.deleteProperty(globalThis, 'BroadcastChannel')
