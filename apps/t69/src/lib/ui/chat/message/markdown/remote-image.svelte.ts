/** The size of an image that is shown, in bytes. */
const largest = 20 * 1024 * 1024

/**
 * Fetches an image when it is asked for, without cookies and without saying from where. The content policy lets the page
 * connect to anybody but show images of its own only, so an image is shown from its bytes.
 */
export function createRemoteImage() {
  let address = $state<string | null>(null)
  let isLoading = $state(false)
  let hasFailed = $state(false)
  const abort = new AbortController()

  return {
    get address() {
      return address
    },
    get isLoading() {
      return isLoading
    },
    get hasFailed() {
      return hasFailed
    },
    async load(src: string): Promise<void> {
      isLoading = true
      try {
        const image = await fetchImage(src, abort.signal)
        if (!abort.signal.aborted) address = URL.createObjectURL(image)
      } catch {
        hasFailed = true
      }
      isLoading = false
    },
    drop(): void {
      abort.abort()
      if (address !== null) URL.revokeObjectURL(address)
    },
  }
}

async function fetchImage(src: string, signal: AbortSignal): Promise<Blob> {
  const response = await fetch(src, { credentials: 'omit', referrerPolicy: 'no-referrer', signal })
  if (!response.ok) throw new Error(`The image was refused: ${response.status}`)
  const image = await response.blob()
  if (!image.type.startsWith('image/') || image.size > largest) throw new Error('It is not an image')
  return image
}
