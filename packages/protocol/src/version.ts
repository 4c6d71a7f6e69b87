/** The version this package speaks. It goes up with every change of the wire (SPEC.md, "Versions"). */
export const protocolVersion = 1

/** The oldest version a server of this package still serves. */
export const minProtocolVersion = 1
