export {
  createSyncMachine,
  type Effect,
  type LogRange,
  type Request,
  type SyncEvent,
  type SyncMachine,
  type Write,
} from './state.ts'
export { step } from './step.ts'
