/**
 * Resolves in another task, so that the page can answer in between. Unlike a timer, it is not slowed down in a tab in the
 * background.
 */
export function nextTask(): Promise<void> {
  const { port1, port2 } = new MessageChannel()
  return new Promise((resolve) => {
    port1.addEventListener('message', () => {
      port1.close()
      resolve()
    })
    port1.start()
    port2.postMessage(null)
  })
}
