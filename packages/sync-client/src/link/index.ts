export { createConnector, type LinkReport, type WakeCause } from './connector.ts'
export type { Link } from './open-link.ts'
export { createSocketIoTransport, type SocketIoTransportOptions } from './socket-io-transport.ts'
export type { Connection, ConnectionListener, Transport } from './transport.ts'
