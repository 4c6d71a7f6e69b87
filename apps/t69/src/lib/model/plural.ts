import { numberText } from './numbers.ts'

/**
 * One of the forms of a text for a number, with the number in place of `#`. Translations may have more forms than the two
 * of English. The build finds calls of this name: `plural(count, ['# chat', '# chats'])`.
 *
 * @param rule Gives the index of the form for a number; the build fills in that of the language.
 */
export function plural(
  count: number,
  forms: readonly string[],
  rule: (count: number) => number = (number) => (number === 1 ? 0 : 1),
): string {
  return (forms[rule(count)] ?? forms.at(-1) ?? '').replace('#', () => numberText(count))
}
