export type { Gateway } from './socket/gateway.ts'
