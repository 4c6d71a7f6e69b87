import type { Plugin } from 'vite'

/** The module of zod that makes JSON Schema of schemas, and the one whose schemas each know how it is made of them. */
const maker = /\/zod\/v4\/core\/to-json-schema\.js$/
const schemas = /\/zod\/v4\/classic\/schemas\.js$/
const exported = /^export (?:const|function) (\w+)|^export \{ \w+ as (\w+) \};/gm
const ways = /^ *inst\._zod\.processJSONSchema = .*;$/gm
/** The methods of a schema of strings for one format each, such as `z.string().uuid()`. Zod itself advises `z.uuid()`. */
const formats =
  /(^export const ZodString = .*core\.\$constructor\("ZodString", \(inst, def\) => \{\n[^}]*\}), \{\n[^]*?^\}(?=\);$)/m

/** An object that compiles itself to code, which the content policy forbids, and the one that does not. */
const compiled = 'core.$ZodObjectJIT.init(inst, def)'
const read = 'core.$ZodObject.init(inst, def)'

/**
 * Leaves out of the build what zod brings and nobody here calls, 8 kB of the first load: JSON Schema, a method of strings for
 * each format, and compiled objects. Schemas mention them, so no bundler sees that they are not needed. Of JSON Schema, a
 * function stays that says so.
 */
export function leanZod(): Plugin {
  return {
    name: 't69-lean-zod',
    apply: 'build',
    transform: {
      filter: { id: [maker, schemas] },
      handler(code, id) {
        if (schemas.test(id)) {
          if (code.search(ways) < 0) this.error('zod makes JSON Schema in another way now')
          if (!formats.test(code)) this.error('zod has formats of strings in another way now')
          if (!code.includes(compiled)) this.error('zod compiles objects in another way now')
          return {
            code: code
              .replace(ways, '')
              .replace(formats, '$1')
              .replace(compiled, () => read),
            map: null,
          }
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
