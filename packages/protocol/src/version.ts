/** The version this package speaks. It goes up with every change of the wire (SPEC.md, "Versions"). */
export const protocolVersion = 3

/**
 * The oldest version a server of this package still serves. Version 1 lacks what compares trees, version 2 the ids of
 * transient changes; neither needs them.
 */
export const minProtocolVersion = 1
