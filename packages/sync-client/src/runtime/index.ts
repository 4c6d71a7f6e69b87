export { backoffMs } from './backoff.ts'
export { contain, createListeners, type Listeners } from './listeners.ts'
export { restAfterMs } from './merge-pace.ts'
export { systemRuntime, type Runtime } from './runtime.ts'
