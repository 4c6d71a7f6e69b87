/**
 * The app's own files and nothing else. Its socket is covered by 'self'. `connect-src` is open since people
 * call the AI provider of their choice from the page, be it on their own machine. Styles may be inline:
 * Swagger UI and transitions set them. Nothing is upgraded to HTTPS: a server at home may have none.
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
