export { decompressBlocks } from './decompress.ts'
