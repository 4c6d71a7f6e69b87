import { createSubscriber } from 'svelte/reactivity'

import { untilMidnight } from '../model/day-groups.ts'

/** A device that sleeps over midnight has no timers; it looks again when its page is looked at. */
const watchDays = createSubscriber((update) => {
  let timer: ReturnType<typeof setTimeout>
  function begin(): void {
    clearTimeout(timer)
    timer = setTimeout(() => {
      update()
      begin()
    }, untilMidnight(Date.now()))
  }
  function look(): void {
    update()
    begin()
  }
  begin()
  document.addEventListener('visibilitychange', look)
  return () => {
    clearTimeout(timer)
    document.removeEventListener('visibilitychange', look)
  }
})

/** The present time, in Unix ms, as a signal that changes with the day. */
export function today(): number {
  watchDays()
  return Date.now()
}
