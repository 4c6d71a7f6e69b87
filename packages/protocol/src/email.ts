/**
 * An e-mail address in the form in which addresses are stored and compared: two that people take for the same are equal
 * in it. Spaces around it, letter case and width, and how é is written do not count, and a domain is in its ASCII form:
 * `bücher.example` is `xn--bcher-kva.example`. The members of a space know each other by their addresses, so a domain
 * that only looks like another one must not read like it. What is not an address is returned in some form or other, for
 * `emailPattern` to refuse.
 *
 *     normalEmail(' Anna@BÜCHER.example ') // 'anna@xn--bcher-kva.example'
 */
export function normalEmail(text: string): string {
  // Too long for an address in any form. Normalising costs work.
  if (text.length > 1000) return text
  const address = folded(folded(text)).trim()
  const at = address.lastIndexOf('@')
  return address.slice(0, at + 1) + asciiDomain(address.slice(at + 1))
}

/** NFKC and lower case. Done twice, since lower-casing may take a text out of its normal form. */
function folded(text: string): string {
  return text.normalize('NFKC').toLowerCase()
}

function asciiDomain(domain: string): string {
  // The URL parser would take a path, a port or escapes for something else than a part of the name.
  if (!/^[\p{L}\p{M}\p{N}.。-]+$/u.test(domain)) return domain
  return URL.canParse(`http://${domain}`) ? new URL(`http://${domain}`).hostname : domain
}

const letter = String.raw`(?!\p{Default_Ignorable_Code_Point})[\p{L}\p{M}\p{N}_'+-]`
/** Letters of scripts that look alike, in one name: аnna with a Cyrillic а. */
const mixed = String.raw`(?=[^@]*\p{Script=Latin})(?=[^@]*[\p{Script=Cyrillic}\p{Script=Greek}])`

/**
 * An address in its normal form. As zod's own pattern, with letters of all scripts before the `@`, but none that cannot
 * be seen, and Latin ones not beside the Cyrillic and Greek ones that look like them.
 */
export const emailPattern = new RegExp(
  String.raw`^(?!${mixed})(?:${letter})+(?:\.(?:${letter})+)*@(?:[a-z0-9][a-z0-9-]*\.)+[a-z][a-z0-9-]*[a-z0-9]$`,
  'u',
)
