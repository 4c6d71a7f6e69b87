/**
 * The protocol version of this package. Every change of the wire raises it (SPEC.md, "Versions"):
 *
 * 1. The first version.
 * 2. `tree:compare` and `divergence:report`: clients compare their trees with the log.
 * 3. Transient changes carry the `opId` that they have on the replica that made them.
 * 4. A message of the server may have a role that the client does not know (RO2).
 * 5. Spaces have an identity, and members a seal (SI1 to SI10); pages and appends say who committed them (CO1 to CO6).
 *    Signing up may take an invite, and a route says whether it does.
 * 6. Lists over HTTP come in pages (LI13), and the list of spaces has an ETag (LI14). A client of version 5 does not ask
 *    for a second page. A route says what became of an account (SI11). The preview of an invite says so to a member.
 * 7. The batch of a page may be compressed (BA17, BA18, PL6). Clients of earlier versions are sent it as it is. A join brings the
 *    first page to who asks for it (JO8), and the name of the space (JO9). Routes list
 *    the sessions of the caller, and end them one by one; others set a password by a link, which may be mailed,
 *    change the name or the address, or sign in through a provider or with a passkey. Refusals have a reason (ER6).
 */
export const protocolVersion = 7

/** The first version whose clients take compressed pages. */
export const compressedPagesVersion = 7

/**
 * The oldest protocol version that the server serves. Older clients cannot tell another space of the same id from their
 * own, and would send it all that they hold.
 */
export const minProtocolVersion = 5
