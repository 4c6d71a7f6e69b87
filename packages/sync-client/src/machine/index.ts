export {
  createSyncMachine,
  type Effect,
  type LogRange,
  type MachineStart,
  type Request,
  type SyncEvent,
  type SyncMachine,
  type Write,
} from './state.ts'
export { otherSpace } from './transitions.ts'
export { step } from './step.ts'
