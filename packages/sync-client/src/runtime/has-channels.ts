/**
 * Whether tabs can send each other messages. Where site data is blocked, Firefox has the constructor of channels, and it
 * throws.
 */
export function hasChannels(): boolean {
  try {
    new BroadcastChannel('t69-probe').close()
    return true
  } catch {
    return false
  }
}
