/** The version this package speaks. It goes up with every change of the wire (SPEC.md, "Versions"). */
export const protocolVersion = 2

/** The oldest version a server of this package still serves. Version 1 lacks what compares trees, and needs it not. */
export const minProtocolVersion = 1
