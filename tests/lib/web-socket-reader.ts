/** A complete message, whatever its number of frames. */
export interface WebSocketMessage {
  readonly isBinary: boolean
  readonly payload: Buffer
}

const upgraded = /^HTTP\/1\.1 101|^upgrade: websocket/im

/**
 * Reads WebSocket messages from the bytes that one end of a TCP connection sent, so that tests know their true sizes. A
 * connection that does not become a WebSocket has no messages.
 */
export function createWebSocketReader(
  onMessage: (message: WebSocketMessage) => void,
): (chunk: Buffer) => void {
  let state: 'http' | 'frames' | 'plain' = 'http'
  let bytes = Buffer.alloc(0)
  let parts: Buffer[] = []
  let isBinary = false

  /** Removes a frame from the front of the buffer. Returns false if it is not complete yet. */
  function takeFrame(): boolean {
    if (bytes.length < 2) return false
    const [first, second] = [bytes.readUInt8(0), bytes.readUInt8(1)]
    const short = second & 0x7f
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0
    const maskBytes = (second & 0x80) === 0 ? 0 : 4
    const from = 2 + lengthBytes + maskBytes
    if (bytes.length < from) return false
    const length =
      lengthBytes === 0 ? short : lengthBytes === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
    if (bytes.length < from + length) return false
    const payload = Buffer.from(bytes.subarray(from, from + length))
    const mask = bytes.subarray(from - maskBytes, from)
    if (maskBytes > 0) payload.forEach((byte, at) => (payload[at] = byte ^ mask.readUInt8(at % 4)))
    bytes = bytes.subarray(from + length)
    takePayload(first, payload)
    return true
  }

  function takePayload(first: number, payload: Buffer): void {
    const opcode = first & 0x0f
    // Pings, pongs and the close frame may come between the frames of a message.
    if (opcode >= 8) return
    if (opcode !== 0) isBinary = opcode === 2
    parts.push(payload)
    if ((first & 0x80) === 0) return
    onMessage({ isBinary, payload: Buffer.concat(parts) })
    parts = []
  }

  return (chunk) => {
    if (state === 'plain') return
    bytes = Buffer.concat([bytes, chunk])
    if (state === 'http') {
      const end = bytes.indexOf('\r\n\r\n')
      if (end < 0) return
      state = upgraded.test(bytes.toString('latin1', 0, end)) ? 'frames' : 'plain'
      bytes = bytes.subarray(end + 4)
    }
    if (state === 'frames') while (takeFrame());
  }
}
