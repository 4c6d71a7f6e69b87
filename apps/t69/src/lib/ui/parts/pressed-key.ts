/**
 * The key that somebody pressed; null for one that their input method takes, such as the Enter that confirms a
 * Japanese word or the Escape that gives it up. It means nothing to the page. Every field reads keys through this.
 *
 * Chromium and Firefox end the composition after that key, so `isComposing` tells. Safari ends it before
 * (https://bugs.webkit.org/show_bug.cgi?id=165004), and only the key code 229 tells, deprecated as it is.
 */
export function pressedKey(event: Pick<KeyboardEvent, 'key' | 'isComposing' | 'keyCode'>): string | null {
  return event.isComposing || event.keyCode === 229 ? null : event.key
}

/**
 * The letter or other key that somebody pressed together with Ctrl, in lower case; null where `pressedKey` is. On a
 * keyboard of other letters, it is the one that stands in its place on a Latin one.
 */
export function pressedLetter(
  event: Pick<KeyboardEvent, 'key' | 'code' | 'isComposing' | 'keyCode'>,
): string | null {
  const key = pressedKey(event)?.toLowerCase() ?? null
  // Some letters are marks, as the vowels of Thai and Hindi.
  const isOther = key !== null && /^(?!\p{Script=Latin})[\p{L}\p{M}]/u.test(key)
  return isOther ? event.code.replace(/^Key/, '').toLowerCase() : key
}

/**
 * Whether the key that somebody pressed ends a text of several lines, which is sent or saved then. Shift and Enter make a
 * line. So does Enter on a phone's keyboard, where there is no other way, and the button is beside it.
 */
export function endsText(event: KeyboardEvent): boolean {
  if (pressedKey(event) !== 'Enter' || event.shiftKey) return false
  return !isTouchOnly() || event.ctrlKey || event.metaKey
}

/** Whether people type on glass here, with a keyboard that has no Shift and Enter: on a phone, or a tablet without keys. */
export function isTouchOnly(): boolean {
  return matchMedia('(hover: none) and (pointer: coarse)').matches
}
