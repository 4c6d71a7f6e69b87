/**
 * The protocol version of this package. Every change of the wire raises it (SPEC.md, "Versions"):
 *
 * 1. The first version.
 * 2. `tree:compare` and `divergence:report`: clients compare their trees with the log.
 * 3. Transient changes carry the `opId` that they have on the replica that made them.
 * 4. A message of the server may have a role that the client does not know (RO2).
 */
export const protocolVersion = 4

/** The oldest protocol version that the server serves. Clients can do without everything that was added since. */
export const minProtocolVersion = 1
