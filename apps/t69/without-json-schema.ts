import type { Plugin } from 'vite'

/** The module of zod that makes JSON Schema of schemas, and the one whose schemas each know how it is made of them. */
const maker = /\/zod\/v4\/core\/to-json-schema\.js$/
const schemas = /\/zod\/v4\/classic\/schemas\.js$/
const exported = /^export (?:const|function) (\w+)|^export \{ \w+ as (\w+) \};/gm
const ways = /^ *inst\._zod\.processJSONSchema = .*;$/gm

/**
 * Leaves out of the build what zod brings for JSON Schema, 5 kB of the first load. Each schema has methods for it that
 * nobody calls, so no bundler sees that it is not needed. In its place stands a function that says so.
 */
export function withoutJsonSchema(): Plugin {
  return {
    name: 't69-without-json-schema',
    apply: 'build',
    transform: {
      filter: { id: [maker, schemas] },
      handler(code, id) {
        if (schemas.test(id)) {
          if (code.search(ways) < 0) this.error('zod makes JSON Schema in another way now')
          return { code: code.replace(ways, ''), map: null }
        }
        const names = Array.from(code.matchAll(exported), ([, declared, renamed]) => declared ?? renamed)
        const exports = names.map((name) => `absent as ${name}`)
        return {
          code: `function absent() { throw new Error('The build has no JSON Schema') }
export { ${exports.join(', ')} }`,
          map: null,
        }
      },
    },
  }
}
