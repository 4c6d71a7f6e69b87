export { decompressBatch } from '../batch/compressed.ts'
