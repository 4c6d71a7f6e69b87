/**
 * Allows the app's own files only. 'self' covers its socket. `connect-src` is open, because the page calls the AI
 * provider that its user chose, which may be on the same machine. Styles may be inline: Swagger UI and transitions set
 * them. Nothing is upgraded to HTTPS, which a server at home may not have.
 */
export const contentSecurityPolicy = {
  defaultSrc: ["'self'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'", "'unsafe-inline'"],
  imgSrc: ["'self'", 'data:', 'blob:'],
  fontSrc: ["'self'", 'data:'],
  connectSrc: ["'self'", 'https:', 'http:'],
  workerSrc: ["'self'"],
  manifestSrc: ["'self'"],
  objectSrc: ["'none'"],
  baseUri: ["'self'"],
  formAction: ["'self'"],
  frameAncestors: ["'none'"],
}
