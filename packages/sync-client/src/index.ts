export * from './api.ts'
export type * from './runtime.ts'
export type * from './storage.ts'
export type * from './transport.ts'
