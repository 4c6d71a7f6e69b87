/** There is no database of a server of this version. */
export class NoServerError extends Error {
  override readonly name = 'NoServerError'
}
