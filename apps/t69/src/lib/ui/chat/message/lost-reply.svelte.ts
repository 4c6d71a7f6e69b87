import type { Message } from '../../../model/chat-tree.ts'

/**
 * How long a reply may be open without a device that shows that it writes it, in ms. A reader who has just come hears of
 * the device a moment later than of the reply.
 */
const goneAfterMs = 3_000

/** Says whether a reply is lost: it has not ended, and no device writes it any more. Call it where a component begins. */
export function watchLost(
  message: () => Message | undefined,
  seesOthers: () => boolean,
): { readonly isLost: boolean } {
  let isLost = $state(false)
  const isLeft = $derived.by(() => {
    const it = message()
    return it !== undefined && it.isOpen && !it.inProgress && seesOthers()
  })
  $effect(() => {
    isLost = false
    if (!isLeft) return
    const timer = setTimeout(() => {
      isLost = true
    }, goneAfterMs)
    return () => clearTimeout(timer)
  })
  return {
    get isLost() {
      return isLost
    },
  }
}
