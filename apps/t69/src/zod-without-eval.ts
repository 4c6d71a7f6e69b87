import { config } from 'zod'

// The page's content policy forbids code from text. Zod would try it, to see whether it may compile schemas, and the
// browser would report each try as a violation. Imported before everything that makes a schema.
config({ jitless: true })
