export { openSpace } from './space.ts'
export type { OpenSpace } from './tab-space.ts'
