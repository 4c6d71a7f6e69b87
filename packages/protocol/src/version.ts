/**
 * The version this package speaks. It goes up with every change of the wire (SPEC.md, "Versions"):
 *
 * 1. The first.
 * 2. `tree:compare` and `divergence:report`: clients compare their trees with the log.
 * 3. Transient changes carry the `opId` that they have where they were made.
 * 4. What a server sends may name a role that the client does not know (RO2).
 */
export const protocolVersion = 4

/** The oldest version a server of this package still serves: nothing above is needed by a client that lacks it. */
export const minProtocolVersion = 1
