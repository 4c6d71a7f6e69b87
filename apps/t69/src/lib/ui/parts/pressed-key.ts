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

/** Whether people type on glass here, with a keyboard that has no Shift and Enter: on a phone, or a tablet without keys. */
export function isTouchOnly(): boolean {
  return matchMedia('(hover: none) and (pointer: coarse)').matches
}
